//! Slots: which one a key belongs to.

/// How many there are.
pub const SLOTS: u16 = 16_384;

/// The slot of a key: of its hash tag, if it has one.
pub fn slot_of(key: impl AsRef<[u8]>) -> u16 {
    let key = key.as_ref();
    crc16(hash_tag(key).unwrap_or(key)) % SLOTS
}

/// What stands in the first braces, unless that is nothing.
fn hash_tag(key: &[u8]) -> Option<&[u8]> {
    let rest = &key[key.iter().position(|byte| *byte == b'{')? + 1..];
    let tag = &rest[..rest.iter().position(|byte| *byte == b'}')?];
    (!tag.is_empty()).then_some(tag)
}

/// CRC16 as XMODEM has it.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| (0..8).fold(crc ^ (u16::from(*byte) << 8), |crc, _| shifted(crc)))
}

fn shifted(crc: u16) -> u16 {
    let carry = if crc & 0x8000 == 0 { 0 } else { 0x1021 };
    (crc << 1) ^ carry
}
