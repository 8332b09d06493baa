//! Work that another process does. Nothing shows it but the time that the way there takes.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Instant;

use attest::digest::Sha256;
use attest::proof::{Opening, OpeningsBody, SignedRoot, Verdict};

use super::line::Line;
use super::{Crook, Site, WORK, is_proven, median};
use crate::prover::Done;

/// Round trips to the other process that are timed.
const ECHOES: usize = 1000;

/// What the other process is asked: the root for a seed, openings of lanes, or an answer at once.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
enum Ask {
    Root,
    Open,
    Echo,
}

/// Does the work of every connection, until it breaks.
pub(crate) fn serve(listener: &TcpListener) -> io::Result<()> {
    for stream in listener.incoming() {
        let stream = stream?;
        std::thread::spawn(move || work(stream));
    }
    Ok(())
}

/// An ask is a byte, a length of four and so many bytes; an answer a length and bytes.
fn work(mut stream: TcpStream) -> io::Result<()> {
    stream.set_nodelay(true)?;
    let mut done = Done::of(Vec::new());
    loop {
        let mut ask = [0];
        stream.read_exact(&mut ask)?;
        let body = receive(&mut stream)?;
        let answer = match ask[0] {
            ask if ask == Ask::Root as u8 => {
                let seed = Sha256(body.try_into().map_err(|_| io::ErrorKind::InvalidData)?);
                done = Done::compute(&WORK, &seed, 0);
                done.root().0.to_vec()
            }
            ask if ask == Ask::Open as u8 => {
                let lanes: Vec<u64> = serde_json::from_slice(&body)?;
                serde_json::to_vec(&done.open(&lanes))?
            }
            _ => body,
        };
        send(&mut stream, &answer)?;
    }
}

fn receive(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut body = vec![0; u32::from_le_bytes(length) as usize];
    stream.read_exact(&mut body)?;
    Ok(body)
}

fn send(stream: &mut TcpStream, body: &[u8]) -> io::Result<()> {
    let length = (body.len() as u32).to_le_bytes();
    stream.write_all(&[&length, body].concat())
}

fn ask(stream: &mut TcpStream, ask: Ask, body: &[u8]) -> Vec<u8> {
    stream.write_all(&[ask as u8]).unwrap();
    send(stream, body).unwrap();
    receive(stream).unwrap()
}

/// One session at a time: half of them forwarded, half of them not, in turn.
pub(crate) fn lines(site: &Site, trials: usize, worker: SocketAddr) -> Vec<Line> {
    let mut stream = TcpStream::connect(worker).unwrap();
    stream.set_nodelay(true).unwrap();
    let mut echoes: Vec<f64> = (0..ECHOES)
        .map(|_| {
            let sent = Instant::now();
            ask(&mut stream, Ask::Echo, &[0; 32]);
            sent.elapsed().as_secs_f64() * 1e6
        })
        .collect();
    let mut crook = site.crook();
    let (mut there, mut here, mut caught) = (Vec::new(), Vec::new(), 0);
    for _ in 0..trials {
        let verdict = forwarded(&mut crook, &mut stream);
        caught += usize::from(!is_proven(&verdict));
        there.extend(elapsed_us(&verdict));
        here.extend(elapsed_us(&crook.prove_honestly().1));
    }
    let expected = format!(
        "none: residual risk. A round trip to the other process takes {:.0} µs here; the sessions' median time was {:.0} µs \
         forwarded, {:.0} µs not",
        median(&mut echoes),
        median(&mut there),
        median(&mut here)
    );
    let by = "nothing but the time that the way there takes";
    vec![Line::never(
        "work forwarded to another process",
        by,
        trials,
        caught,
        expected,
    )]
}

fn elapsed_us(verdict: &Verdict) -> Option<f64> {
    let proven = verdict.tasks[0].proven.as_ref()?;
    Some(proven.elapsed_ns as f64 / 1e3)
}

fn forwarded(crook: &mut Crook<'_>, stream: &mut TcpStream) -> Verdict {
    let (held, seed) = crook.begin(&[WORK]);
    let root = Sha256(ask(stream, Ask::Root, &seed.0).try_into().unwrap());
    let signed = SignedRoot::sign(&held.id, 0, root, &crook.key);
    let body = serde_json::to_vec(&signed).unwrap();
    assert_eq!(held.post(&mut crook.wire, "/commitments/0", &body).status, 200);
    let samples = held.get(&mut crook.wire, "/samples").json();
    let lanes = samples["tasks"][0].to_string();
    let openings: Vec<Opening> = serde_json::from_slice(&ask(stream, Ask::Open, lanes.as_bytes())).unwrap();
    let body = OpeningsBody {
        tasks: vec![openings],
    };
    crook.open(&held, &serde_json::to_vec(&body).unwrap())
}
