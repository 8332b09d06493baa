//! A relay in front of a registry that may change each request and each answer, or swallow them.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use crate::wire::{Answer, Wire};

pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    pub(crate) stop: Arc<AtomicBool>,
    paths: Arc<Mutex<Vec<String>>>,
}

impl Relay {
    /// How often a path that ends so was asked for.
    pub(crate) fn asked(&self, end: &str) -> usize {
        let paths = self.paths.lock().unwrap();
        paths.iter().filter(|path| path.ends_with(end)).count()
    }
}

/// Relays to `registry` until told to stop. `change` sees each path and answer; false swallows the answer.
pub(crate) fn relay(
    registry: SocketAddr,
    change: impl Fn(&str, &mut Answer) -> bool + Send + Sync + 'static,
) -> Relay {
    relay_both(registry, |_, _| true, change)
}

/// The same; `spoil` sees each path and body on their way to the registry; false swallows the request.
pub(crate) fn relay_both(
    registry: SocketAddr,
    spoil: impl Fn(&str, &mut Vec<u8>) -> bool + Send + Sync + 'static,
    change: impl Fn(&str, &mut Answer) -> bool + Send + Sync + 'static,
) -> Relay {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let relay = Relay {
        address: listener.local_addr().unwrap(),
        stop: Arc::default(),
        paths: Arc::default(),
    };
    let (stop, paths, change) = (
        Arc::clone(&relay.stop),
        Arc::clone(&relay.paths),
        Arc::new((spoil, change)),
    );
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            if stop.load(Ordering::SeqCst) {
                return;
            }
            let (paths, change) = (Arc::clone(&paths), Arc::clone(&change));
            std::thread::spawn(move || one(stream.unwrap(), registry, &paths, &change.0, &change.1));
        }
    });
    relay
}

/// Relays one request and closes.
fn one(
    stream: TcpStream,
    registry: SocketAddr,
    paths: &Mutex<Vec<String>>,
    spoil: &impl Fn(&str, &mut Vec<u8>) -> bool,
    change: &impl Fn(&str, &mut Answer) -> bool,
) {
    let mut stream = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).unwrap() == 0 {
            return;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
            length = value.trim().parse().unwrap();
            continue;
        }
        if line == "\r\n" {
            break;
        }
        head.push_str(&line);
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    paths.lock().unwrap().push(path.clone());
    if !spoil(&path, &mut body) {
        return;
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    let mut wire = Wire::connect(registry).unwrap();
    wire.send(&[head.as_bytes(), &body].concat()).unwrap();
    let mut answer = wire.answer().unwrap();
    if !change(&path, &mut answer) {
        return;
    }
    let mut text = format!("HTTP/1.1 {} Relayed\r\nConnection: close\r\n", answer.status);
    for (name, value) in &answer.headers {
        if name != "content-length" && name != "connection" {
            text += &format!("{name}: {value}\r\n");
        }
    }
    text += &format!("Content-Length: {}\r\n\r\n", answer.body.len());
    let _ = stream
        .get_mut()
        .write_all(&[text.as_bytes(), &answer.body].concat());
}
