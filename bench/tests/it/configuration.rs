//! Flags over environment over configuration file; colour and closed pipes.

use std::process::Stdio;

use crate::program::{Home, Ran, path};

#[test]
fn flags_stand_over_the_environment_and_that_over_the_file() {
    let home = Home::new();
    for name in ["file.pem", "environment.pem", "flag.pem"] {
        assert_eq!(home.run(&["keys", "new", "--out", name]).code, 0);
    }
    let config = home.write(
        "config.toml",
        &format!("key = {:?}\n", path(&home.path("file.pem"))),
    );
    let id = |arguments: &[&str], environment: Option<&str>| {
        let mut command = home.command(arguments);
        command
            .env("HALLMARK_CONFIG", &config)
            .envs(environment.map(|name| ("HALLMARK_KEY", home.path(name))));
        let ran = Ran::of(command.output().expect("it runs"));
        assert_eq!(ran.code, 0, "{}", ran.err);
        ran.out
    };
    let public = |name: &str| home.run(&["keys", "show", "--key", name]).out;
    let show = ["keys", "show"];
    assert_eq!(id(&show, None), public("file.pem"));
    assert_eq!(id(&show, Some("environment.pem")), public("environment.pem"));
    assert_eq!(
        id(
            &[&show[..], &["--key", "flag.pem"]].concat(),
            Some("environment.pem")
        ),
        public("flag.pem")
    );
}

#[test]
fn a_misspelt_setting_is_refused_with_the_known_ones() {
    let home = Home::new();
    let config = home.write("config.toml", "registri = \"http://127.0.0.1:1\"\n");
    let ran = Ran::of(
        home.command(&["devices"])
            .env("HALLMARK_CONFIG", config)
            .output()
            .expect("it runs"),
    );
    ran.refused(2, &["registri", "registry, key, trust and data"]);
}

#[test]
fn output_that_is_no_terminal_has_no_colour() {
    let home = Home::new();
    let ran = home.run(&["run", "--suite", "nonsense"]);
    assert!(!ran.err.contains('\x1b') && !home.run(&["devices"]).out.contains('\x1b'));
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let home = Home::new();
    let mut child = home
        .command(&["schema", "statement"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("it runs");
    drop(child.stdout.take());
    let ran = Ran::of(child.wait_with_output().expect("it ends"));
    assert_eq!(ran.code, 0, "{}", ran.err);
}
