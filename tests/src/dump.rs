//! A writer that remembers which field each byte belongs to.

use std::fmt::Write as _;

use bytes::Bytes;
use klamm_core::codec::varint::Varint;
use klamm_core::codec::{Part, Writer};
use klamm_core::ids::Uuid;

/// Bytes of one line.
const LINE_BYTES: usize = 16;

/// What was written, and a line for each field of it.
#[derive(Clone, Debug, Default)]
pub struct Dump {
    bytes: Vec<u8>,
    text: String,
    path: Vec<Step>,
    pieces: Vec<Piece>,
    /// Bytes that stand in `text` already.
    explained: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    Group(&'static str),
    Part(Part),
    /// A tagged field whose tag and size are written.
    Value,
}

#[derive(Clone, Debug)]
enum Piece {
    Raw(Vec<u8>),
    Varint(u32),
    Payload(usize),
}

impl Dump {
    /// What was written.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The lines: offset, bytes, field and value.
    pub fn into_text(mut self) -> String {
        self.flush();
        self.text
    }

    /// Writes what belongs to a group of fields, such as a header.
    pub fn group(&mut self, name: &'static str, write: impl FnOnce(&mut Self)) {
        self.flush();
        self.path.push(Step::Group(name));
        write(self);
        self.flush();
        self.path.pop();
    }

    /// Explains the bytes written since the last line.
    fn flush(&mut self) {
        let pieces = std::mem::take(&mut self.pieces);
        if self.explained == self.bytes.len() {
            return;
        }
        let label = self.label(&pieces);
        for (at, line) in self.bytes[self.explained..].chunks(LINE_BYTES).enumerate() {
            let offset = self.explained + at * LINE_BYTES;
            let hex = hex(line);
            let label = if at == 0 { label.as_str() } else { "" };
            let line = format!("{offset:04x}  {hex:47}  {label}");
            writeln!(self.text, "{}", line.trim_end()).expect("a string takes it");
        }
        self.explained = self.bytes.len();
    }

    fn label(&self, pieces: &[Piece]) -> String {
        let mut path = String::new();
        for step in &self.path {
            match step {
                Step::Group(name) | Step::Part(Part::Field(name) | Part::Tagged(name)) => {
                    let dot = if path.is_empty() { "" } else { "." };
                    write!(path, "{dot}{name}").expect("a string takes it");
                }
                Step::Part(Part::Element(index)) => {
                    write!(path, "[{index}]").expect("a string takes it");
                }
                Step::Part(Part::TagCount) | Step::Value => {}
            }
        }
        let value = value(self.path.last(), pieces);
        if path.is_empty() { value } else { format!("{path}: {value}") }
    }
}

impl Writer for Dump {
    fn put(&mut self, bytes: &[u8]) {
        self.bytes.extend_from_slice(bytes);
        self.pieces.push(Piece::Raw(bytes.to_vec()));
    }

    fn payload(&mut self, bytes: &Bytes) {
        self.bytes.extend_from_slice(bytes);
        self.pieces.push(Piece::Payload(bytes.len()));
    }

    fn unsigned_varint(&mut self, value: u32) {
        self.bytes.extend_from_slice(Varint::unsigned(value).as_bytes());
        self.pieces.push(Piece::Varint(value));
        let tag = matches!(self.path.last(), Some(Step::Part(Part::Tagged(_))));
        if tag && self.pieces.len() == 2 {
            self.flush();
            self.path.push(Step::Value);
        }
    }

    fn begin(&mut self, part: Part) {
        self.flush();
        self.path.push(Step::Part(part));
    }

    fn end(&mut self) {
        self.flush();
        if self.path.pop() == Some(Step::Value) {
            self.path.pop();
        }
    }
}

/// The value that the pieces of one line make.
fn value(step: Option<&Step>, pieces: &[Piece]) -> String {
    match pieces {
        [Piece::Varint(count)] if step == Some(&Step::Part(Part::TagCount)) => {
            format!("{count} tagged fields")
        }
        [Piece::Varint(tag), Piece::Varint(size)] => format!("tag {tag}, {size} bytes"),
        [Piece::Varint(0), ..] => "null".to_owned(),
        [Piece::Varint(length)] => format!("length {}", length - 1),
        [_, Piece::Payload(length)] => format!("{length} bytes"),
        [Piece::Raw(length), Piece::Raw(_)] if length[..] == [0xff, 0xff] => "null".to_owned(),
        [_, Piece::Raw(text)] => format!("{:?}", String::from_utf8_lossy(text)),
        [Piece::Raw(bytes)] => number(bytes),
        _ => String::new(),
    }
}

/// A signed integer, or an id.
fn number(bytes: &[u8]) -> String {
    if let Ok(id) = <[u8; 16]>::try_from(bytes) {
        return Uuid(id).to_string();
    }
    let sign = if bytes.first().is_some_and(|&byte| byte >= 0x80) { -1 } else { 0 };
    let value = bytes.iter().fold(sign, |value: i64, &byte| value << 8 | i64::from(byte));
    value.to_string()
}

/// A hexdump without fields: offset, bytes, printable characters.
pub fn plain(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (at, line) in bytes.chunks(LINE_BYTES).enumerate() {
        let hex = hex(line);
        let shown = |&byte: &u8| if matches!(byte, 0x20..0x7f) { byte as char } else { '.' };
        let printable: String = line.iter().map(shown).collect();
        let offset = at * LINE_BYTES;
        writeln!(text, "{offset:04x}  {hex:47}  |{printable}|").expect("a string takes it");
    }
    text
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}
