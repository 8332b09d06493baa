//! HTTP/1.1 by hand, so that tests can be late, huge or malformed, and load costs little.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// One connection that is kept open.
pub(crate) struct Wire {
    stream: BufReader<TcpStream>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("text")
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }
}

impl Wire {
    pub(crate) fn connect(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        Ok(Self {
            stream: BufReader::with_capacity(32 << 10, stream),
        })
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    pub(crate) fn get(&mut self, path: &str) -> io::Result<Answer> {
        self.get_with(path, "")
    }

    /// A read with further header lines, each ended by CR LF.
    pub(crate) fn get_with(&mut self, path: &str, lines: &str) -> io::Result<Answer> {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\n{lines}\r\n").as_bytes())?;
        self.answer()
    }

    pub(crate) fn post(&mut self, body: &[u8]) -> io::Result<Answer> {
        self.post_to("/api/v1/attestations", "", body)
    }

    /// A JSON body to any path, with further header lines, each ended by CR LF.
    pub(crate) fn post_to(&mut self, path: &str, lines: &str, body: &[u8]) -> io::Result<Answer> {
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: {}\r\n{lines}\r\n",
            body.len()
        );
        self.send(&[head.as_bytes(), body].concat())?;
        self.answer()
    }

    pub(crate) fn answer(&mut self) -> io::Result<Answer> {
        let broken = || io::Error::new(io::ErrorKind::UnexpectedEof, "the answer broke off");
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line
            .split(' ')
            .nth(1)
            .and_then(|code| code.parse().ok())
            .ok_or_else(broken)?;
        let mut headers = Vec::new();
        let mut length = 0;
        loop {
            line.clear();
            self.stream.read_line(&mut line)?;
            let trimmed = line.trim_end();
            if trimmed.is_empty() {
                if line.is_empty() {
                    return Err(broken());
                }
                break;
            }
            let (name, value) = trimmed.split_once(": ").ok_or_else(broken)?;
            let name = name.to_ascii_lowercase();
            if name == "content-length" {
                length = value.parse().map_err(|_| broken())?;
            }
            headers.push((name, value.to_owned()));
        }
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body)?;
        Ok(Answer {
            status,
            headers,
            body,
        })
    }
}
