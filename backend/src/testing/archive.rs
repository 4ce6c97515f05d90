//! An archive on the web that says what a test wants it to say.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener};
use std::thread::JoinHandle;

/// What came over the wire.
pub(crate) struct Request {
    pub(crate) line: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// An archive that gives these answers in their order, one a connection, and tells what it was asked.
pub(crate) struct WebArchive {
    pub(crate) address: SocketAddr,
    thread: JoinHandle<Vec<Request>>,
}

impl WebArchive {
    pub(crate) fn open(answers: Vec<(&'static str, &'static str)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let thread = std::thread::spawn(move || {
            let mut asked = Vec::new();
            for (status, body) in answers {
                let (mut socket, _) = listener.accept().unwrap();
                asked.push(request(&mut BufReader::new(&socket)));
                let length = body.len();
                let head = format!(
                    "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n"
                );
                write!(socket, "{head}Location: http://elsewhere.invalid/\r\n\r\n{body}").unwrap();
            }
            asked
        });
        Self { address, thread }
    }

    /// What it was asked, once it has given every answer.
    pub(crate) fn asked(self) -> Vec<Request> {
        self.thread.join().unwrap()
    }
}

fn request(socket: &mut impl BufRead) -> Request {
    let mut lines = socket.by_ref().lines().map(Result::unwrap);
    let line = lines.next().unwrap();
    let headers: Vec<(String, String)> = lines
        .take_while(|line| !line.is_empty())
        .map(|line| {
            let (name, value) = line.split_once(": ").unwrap();
            (name.to_ascii_lowercase(), value.to_owned())
        })
        .collect();
    let length = headers.iter().find(|(name, _)| name == "content-length");
    let length = length.map_or(0, |(_, value)| value.parse().unwrap());
    let mut body = vec![0; length];
    socket.read_exact(&mut body).unwrap();
    Request { line, headers, body }
}
