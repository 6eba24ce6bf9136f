// Copies: every caller gets a row of its own, which it may change.

/** Returns what makes copies of a decoded value. */
export function copier(value: unknown): () => unknown {
    if (value === null || typeof value !== 'object') return () => value;
    if (Array.isArray(value)) {
        const each = value.map(copier);
        return () => each.map((copy) => copy());
    }
    const isFlat = Object.values(value).every((member) => member === null || typeof member !== 'object');
    return isFlat ? () => ({ ...value }) : () => structuredClone(value);
}
