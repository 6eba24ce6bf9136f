//! Bytes as hexadecimal digits.

const DIGITS: [u8; 16] = *b"0123456789abcdef";

/// Appends two lower-case digits for each of `bytes`.
pub fn write_hex(bytes: &[u8], out: &mut Vec<u8>) {
    out.extend(bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).map(|digit| DIGITS[usize::from(digit)]));
}
