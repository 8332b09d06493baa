//! `hallmark generate` on the small checkpoint that the kernels' tests compare with transformers.

use std::fs;

use crate::program::{Home, json};

const MODEL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../kernels/testdata/llama-tiny");

fn expected() -> (String, serde_json::Value) {
    let read = json(&fs::read_to_string(format!("{MODEL}/greedy.json")).expect("committed"));
    let prompt: Vec<String> = { read["prompt"].as_array() }
        .expect("a list")
        .iter()
        .map(ToString::to_string)
        .collect();
    (prompt.join(","), read["tokens"].clone())
}

#[test]
fn ids_and_times_come_out_as_text_and_json() {
    let (home, (prompt, tokens)) = (Home::new(), expected());
    let command = [
        "generate",
        "--model",
        MODEL,
        "--device",
        "cpu:0",
        "--tokens",
        "16",
        "--prompt-ids",
        &prompt,
    ];
    let ran = home.run(&[&command[..], &["--format", "json"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let answer = json(&ran.out);
    let device = &answer["devices"][0];
    assert_eq!(device["ids"], tokens);
    assert_eq!(device["tokenNs"].as_array().map(Vec::len), Some(15));
    assert!(device["firstNs"].as_u64() > Some(0) && device["medianTokenNs"].as_u64() > Some(0));
    assert!(
        answer["note"]
            .as_str()
            .is_some_and(|note| note.contains("no record"))
    );
    assert_eq!(answer["model"]["hidden_size"], 32);

    let ran = home.run(&[&command[..], &["--weights", "q4"]].concat());
    assert_eq!(ran.code, 0, "{}", ran.err);
    let ids: Vec<String> = { tokens.as_array() }
        .expect("a list")
        .iter()
        .map(ToString::to_string)
        .collect();
    for words in [
        &ids.join(","),
        "q4 weights",
        "first token",
        "(median)",
        "tokens a second",
        "no record",
    ] {
        assert!(ran.out.contains(words), "{words} is not in {}", ran.out);
    }
}

#[test]
fn mistakes_with_a_model_are_said_with_the_next_step() {
    let home = Home::new();
    let generate = |arguments: &[&str]| home.run(&[&["generate", "--device", "cpu:0"], arguments].concat());
    generate(&["--model", "nowhere"]).refused(2, &["no such folder", "hint: ", "save_pretrained"]);
    generate(&["--model", MODEL, "--prompt-ids", "1,96"])
        .refused(2, &["outside the vocabulary of 96", "tokenizer"]);
    generate(&["--model", MODEL, "--prompt-ids", "1,two"]).refused(2, &["--prompt-ids"]);
    generate(&["--model", MODEL, "--tokens", "64"]).refused(2, &["max_position_embeddings of 64", "shorten"]);
    generate(&["--model", MODEL, "--tokens", "0"]).refused(2, &["at least"]);
    generate(&["--model", MODEL, "--format", "csv"]).refused(2, &["text or json"]);
    home.run(&["generate", "--model", MODEL, "--device", "cuda:7"])
        .refused(4, &["cuda:7", "cpu:0"]);
    let cut = home.path("cut");
    fs::create_dir(&cut).expect("writable");
    fs::copy(format!("{MODEL}/config.json"), cut.join("config.json")).expect("there");
    let whole = fs::read(format!("{MODEL}/model.safetensors")).expect("there");
    fs::write(cut.join("model.safetensors"), &whole[..whole.len() / 2]).expect("writable");
    generate(&["--model", "cut"]).refused(2, &["no whole safetensors file", "again"]);
}
