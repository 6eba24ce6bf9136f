// Slots of a cluster: where a key belongs.

/** Returns the slot of a key, by its hash tag if it has one. */
export function slotOf(key: string): number {
    const bytes = Buffer.from(key);
    const open = bytes.indexOf('{');
    const close = open < 0 ? -1 : bytes.indexOf('}', open + 1);
    return crc16(close > open + 1 ? bytes.subarray(open + 1, close) : bytes) % 16384;
}

/** CRC-16/XMODEM, as the cluster specification has it. */
function crc16(bytes: Uint8Array): number {
    let crc = 0;
    for (const byte of bytes) {
        crc ^= byte << 8;
        for (let bit = 0; bit < 8; bit++) crc = crc & 0x8000 ? ((crc << 1) ^ 0x1021) & 0xffff : (crc << 1) & 0xffff;
    }
    return crc;
}
