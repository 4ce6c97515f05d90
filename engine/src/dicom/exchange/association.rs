//! What stands between a socket and the messages on an association.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::{Duration, Instant};

use dicom_ul::pdu::{PDataValue, PDataValueType, Pdu};

use super::command::{Command, MOST_BYTES};
use crate::device::CancelToken;

/// How often a side that waits asks whether it shall go on.
const GLANCE: Duration = Duration::from_millis(250);

/// A socket that waits no longer than it may, and not at all once the work is cancelled.
#[derive(Debug)]
pub(super) struct Line {
    socket: TcpStream,
    idle: Duration,
    cancel: CancelToken,
}

impl Line {
    pub(super) fn new(socket: TcpStream, idle: Duration, cancel: CancelToken) -> io::Result<Self> {
        socket.set_read_timeout(Some(GLANCE.min(idle)))?;
        socket.set_write_timeout(Some(idle))?;
        socket.set_nodelay(true)?;
        Ok(Self { socket, idle, cancel })
    }
}

impl Read for Line {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let began = Instant::now();
        loop {
            match self.socket.read(bytes) {
                Err(error)
                    if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) =>
                {
                    if self.cancel.is_cancelled() {
                        return Err(io::Error::other("this side is about to end"));
                    }
                    if began.elapsed() >= self.idle {
                        return Err(io::Error::new(ErrorKind::TimedOut, "silent for too long"));
                    }
                }
                other => return other,
            }
        }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.socket.flush()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        // The peer may have closed it before.
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// A command as the one P-DATA-TF that it fits into.
pub(super) fn command_pdu(context: u8, command: &Command) -> Pdu {
    let data = vec![PDataValue {
        presentation_context_id: context,
        value_type: PDataValueType::Command,
        is_last: true,
        data: command.encode(),
    }];
    Pdu::PData { data }
}

/// Puts a command set together from its fragments.
#[derive(Debug, Default)]
pub(super) struct Gathered(Vec<u8>);

impl Gathered {
    /// Takes a fragment; gives the command once it is whole.
    ///
    /// # Errors
    /// The cause, where it is too long or none.
    pub(super) fn take(&mut self, value: &PDataValue) -> Result<Option<Command>, &'static str> {
        if self.0.len() + value.data.len() > MOST_BYTES {
            return Err("a command set of unheard-of length");
        }
        self.0.extend(&value.data);
        if !value.is_last {
            return Ok(None);
        }
        let command = Command::decode(&self.0).ok_or("a command set that cannot be read")?;
        self.0.clear();
        Ok(Some(command))
    }
}
