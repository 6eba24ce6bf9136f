// What the server has answered of late: no read that another has overtaken may undo what somebody has seen.

/** So many keys are remembered; a read that takes longer than the answers of as many others is not kept. */
const MAX_ANSWERS = 1000;

/** Longer answers are not compared, so that they need not be held. */
const MAX_LENGTH = 4096;

/** The text of an answer as far as it is compared; undefined where it is not. */
export type Content = string | undefined;

/** Returns what is compared of an answer. */
export function contentOf(text: string | null): Content {
    const content = text ?? 'null';
    return content.length > MAX_LENGTH ? undefined : content;
}

/** The latest answer for each key. */
export class Answers {
    private readonly latest = new Map<string, { at: number; content: Content }>();
    private lost = 0;
    count = 0;

    /** Notes an answer, and tells whether it may be kept: since its read `began`, as a count, nobody was answered something else. */
    add(key: string, content: Content, began: number): boolean {
        this.count++;
        const last = this.latest.get(key);
        const differs = content === undefined || last?.content !== content;
        const isOvertaken = began < this.lost || (last !== undefined && last.at > began && differs);
        this.latest.delete(key);
        this.latest.set(key, { at: this.count, content: isOvertaken ? undefined : content });
        if (this.latest.size > MAX_ANSWERS) this.loseOldest();
        return !isOvertaken;
    }

    private loseOldest(): void {
        for (const [key, { at }] of this.latest) {
            this.latest.delete(key);
            this.lost = at;
            return;
        }
    }
}
