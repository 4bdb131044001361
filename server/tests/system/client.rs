//! A client of few words: frames out, frames in.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::encode::Bytes;

/// One connection.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    correlation_id: i32,
}

impl Client {
    pub(crate) fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
        stream.set_read_timeout(Some(Duration::from_secs(30))).expect("set");
        stream.set_nodelay(true).expect("set");
        Self { stream, correlation_id: 100 }
    }

    /// Sends a request with header version 2 and gives its correlation id.
    pub(crate) fn send(&mut self, api_key: i16, version: i16, body: &Bytes) -> io::Result<i32> {
        self.correlation_id += 1;
        let request = Bytes::new()
            .i16(api_key)
            .i16(version)
            .i32(self.correlation_id)
            .i16(4)
            .raw(b"test")
            .no_tags()
            .raw(&body.0);
        self.send_frame(&request.0)?;
        Ok(self.correlation_id)
    }

    pub(crate) fn send_frame(&mut self, frame: &[u8]) -> io::Result<()> {
        let whole = Bytes::new().i32(frame.len() as i32).raw(frame);
        self.stream.write_all(&whole.0)
    }

    /// The next frame, without its size; `None` when the peer has closed.
    pub(crate) fn receive(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut size = [0; 4];
        match self.stream.read_exact(&mut size) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
            Err(error) => return Err(error),
        }
        let mut frame = vec![0; i32::from_be_bytes(size) as usize];
        self.stream.read_exact(&mut frame)?;
        Ok(Some(frame))
    }

    /// Sends, receives, and checks the answer's correlation id; gives what follows it.
    pub(crate) fn ask(&mut self, api_key: i16, version: i16, body: &Bytes) -> Vec<u8> {
        let correlation_id = self.send(api_key, version, body).expect("sent");
        let frame = self.receive().expect("received").expect("an answer");
        assert_eq!(frame[..4], correlation_id.to_be_bytes());
        frame[4..].to_vec()
    }

    /// True when the server has closed the connection, orderly or by a reset.
    pub(crate) fn is_closed_by_server(&mut self) -> bool {
        match self.receive() {
            Ok(frame) => frame.is_none(),
            Err(error) => error.kind() == io::ErrorKind::ConnectionReset,
        }
    }
}

/// Takes an answer apart.
#[derive(Debug)]
pub(crate) struct Reader<'a>(pub(crate) &'a [u8]);

impl Reader<'_> {
    pub(crate) fn take<const N: usize>(&mut self) -> [u8; N] {
        let (front, rest) = self.0.split_first_chunk().expect("more bytes");
        self.0 = rest;
        *front
    }

    pub(crate) fn i16(&mut self) -> i16 {
        i16::from_be_bytes(self.take())
    }

    pub(crate) fn i32(&mut self) -> i32 {
        i32::from_be_bytes(self.take())
    }

    pub(crate) fn i64(&mut self) -> i64 {
        i64::from_be_bytes(self.take())
    }

    pub(crate) fn uvarint(&mut self) -> u32 {
        let mut value = 0;
        for shift in (0..).step_by(7) {
            let [byte] = self.take();
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        value
    }

    pub(crate) fn skip(&mut self, count: usize) {
        self.0 = &self.0[count..];
    }
}
