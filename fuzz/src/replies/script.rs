//! The script of a server: bytes that say, one after the other, how it answers.
//!
//! An answer begins with a byte. Up to [`GOOD`] it is what PostgreSQL would answer; the others are messages, which the bytes behind them
//! fill, until a byte [`END`] ends the answer.

use super::load::{row, COLUMNS};

/// The largest byte that stands for the right answer.
pub const GOOD: u8 = b'Z';
/// The byte that ends an answer.
pub const END: u8 = b'~';

/// Texts that PostgreSQL answers with, or might.
const TEXTS: [&str; 16] = [
    "t",
    "f",
    "",
    "0",
    "1",
    "23",
    "16/B374D848",
    "0/1",
    "5:9:5,7",
    "18446744073709551615",
    "logical",
    "id",
    "lost",
    "4294967296",
    "-1",
    "\u{e9}\\x",
];

/// The bytes that have not been used yet.
#[derive(Debug, Default)]
pub struct Script {
    bytes: Vec<u8>,
    at: usize,
}

impl Script {
    /// One that says `bytes`.
    pub fn new(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), at: 0 }
    }

    /// The next byte.
    pub fn byte(&mut self) -> Option<u8> {
        let byte = *self.bytes.get(self.at)?;
        self.at += 1;
        Some(byte)
    }

    /// The next byte, which is still to come.
    pub fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    /// So many of the next bytes as the next byte says, up to 63.
    fn some(&mut self) -> Vec<u8> {
        let count = usize::from(self.byte().unwrap_or_default() & 63);
        (0..count).map_while(|_| self.byte()).collect()
    }

    fn number(&mut self) -> [u8; 4] {
        std::array::from_fn(|_| self.byte().unwrap_or_default())
    }

    /// A message that begins with `first`; `None`: the answer has ended.
    pub fn message(&mut self, first: u8) -> Option<Vec<u8>> {
        Some(match first {
            END => return None,
            b'a' => message(b'R', &[0; 4]),
            b'b' => {
                let code = u32::from(self.byte()? & 15).to_be_bytes();
                message(b'R', &[&code[..], &self.some()].concat())
            }
            b'c' => message(b'S', &self.some()),
            b'd' => message(b'K', &self.some()),
            b'e' => message(b'Z', b"I"),
            b'f' => {
                let columns = u16::from(self.byte()?);
                row_description(columns)
            }
            b'g' => self.row()?,
            b'h' => message(b'C', &[&self.some()[..], b"\0"].concat()),
            b'i' => self.error()?,
            b'j' => self.notification(),
            b'k' => message(b'W', &[0, 0, 0]),
            // What the output plugin writes.
            b'l' => message(b'd', &[b"w", &[0; 24][..], &self.some()].concat()),
            b'm' => message(b'd', &[b"k", &[0; 4][..], &self.number(), &[0; 8], &[self.byte()?]].concat()),
            b'n' => message(b'c', b""),
            b'o' => message(b'N', &[b"SNOTICE\0C00000\0M", &self.some()[..], b"\0\0"].concat()),
            b'p' => message(self.byte()?, &self.some()),
            // A length that is claimed, and other bytes behind it.
            b'q' => {
                let (tag, length, content) = (self.byte()?, self.number(), self.some());
                [&[tag], &length[..], &content].concat()
            }
            b'r' => message(b'd', &self.some()),
            b's' => message(b'1', b""),
            b't' => message(b'I', b""),
            b'u' => message(b'G', &[0, 0, 0]),
            b'v' => message(b'H', &[0, 0, 0]),
            b'w' => self.loaded()?,
            _ => self.some(),
        })
    }

    /// Some values: the texts that a byte names, NULL, or any bytes.
    fn row(&mut self) -> Option<Vec<u8>> {
        let count = self.byte()? & 15;
        let values: Vec<Option<Vec<u8>>> = (0..count)
            .map(|_| match self.byte().unwrap_or_default() {
                b'N' => None,
                b'S' => Some(self.some()),
                name => Some(TEXTS[usize::from(name) % TEXTS.len()].into()),
            })
            .collect();
        Some(data_row(&values))
    }

    /// What a load brings: a row of any binary values.
    fn loaded(&mut self) -> Option<Vec<u8>> {
        let ordinal = i64::from(self.byte()?) - i64::from(b'0');
        let values = (0..COLUMNS).map(|_| match self.peek() {
            Some(b'N') => self.byte().and(None),
            _ => Some(self.some()),
        });
        let row = row(ordinal, values.collect());
        Some([message(b'2', b""), row, message(b'C', b"SELECT 1\0")].concat())
    }

    fn error(&mut self) -> Option<Vec<u8>> {
        const CODES: [&str; 8] = ["42501", "57014", "55P03", "28000", "57P01", "53300", "08P01", "XX000"];
        let code = CODES[usize::from(self.byte()?) % CODES.len()];
        Some(message(b'E', &[b"SERROR\0C", code.as_bytes(), b"\0M", &self.some(), b"\0\0"].concat()))
    }

    fn notification(&mut self) -> Vec<u8> {
        message(b'A', &[&self.number()[..], b"cache_invalidation\0", &self.some(), b"\0"].concat())
    }
}

/// A message.
pub fn message(tag: u8, content: &[u8]) -> Vec<u8> {
    [&[tag], &(content.len() as u32 + 4).to_be_bytes()[..], content].concat()
}

/// What says that rows of so many texts follow.
pub fn row_description(columns: u16) -> Vec<u8> {
    let column = [&b"c\0"[..], &[0; 6], &25u32.to_be_bytes(), &[255; 2], &[255; 4], &[0; 2]].concat();
    message(b'T', &[&columns.to_be_bytes()[..], &column.repeat(columns.into())].concat())
}

/// A row.
pub fn data_row(values: &[Option<Vec<u8>>]) -> Vec<u8> {
    let mut content = (values.len() as u16).to_be_bytes().to_vec();
    for value in values {
        match value {
            None => content.extend([255; 4]),
            Some(value) => {
                content.extend((value.len() as u32).to_be_bytes());
                content.extend(value);
            }
        }
    }
    message(b'D', &content)
}
