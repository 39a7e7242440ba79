// How long a tokenizer may work on one text. A pattern of an untrusted tokenizer.json can take longer than
// anybody waits (its time may double with each character); nothing tells such a pattern from its looks.

/** Where the worker says what it works on: the request and the text within it. */
export class Progress {
	readonly memory: SharedArrayBuffer;
	readonly #places: Int32Array;

	constructor(memory = new SharedArrayBuffer(8)) {
		this.memory = memory;
		this.#places = new Int32Array(memory);
	}

	begin(request: number, text: number): void {
		Atomics.store(this.#places, 0, request);
		Atomics.store(this.#places, 1, text);
	}

	get request(): number {
		return Atomics.load(this.#places, 0);
	}

	get text(): number {
		return Atomics.load(this.#places, 1);
	}
}

/** What is waited for: something that differs from the thing before, and the seconds it may take. */
export interface Task {
	readonly name: string;
	readonly seconds: number;
}

/**
Counts the seconds of the same task, and gives up when there are too many. It counts its own ticks: when the
whole process is stopped or held up, so is the count.
*/
export class Patience {
	readonly #current: () => Task;
	readonly #giveUp: () => void;
	#timer: NodeJS.Timeout | undefined;
	#name = '';
	#seconds = 0;

	constructor(current: () => Task, giveUp: () => void) {
		this.#current = current;
		this.#giveUp = giveUp;
	}

	start(): void {
		if (this.#timer !== undefined) return;
		this.#name = '';
		this.#timer = setInterval(() => this.#tick(), 1000).unref();
	}

	stop(): void {
		clearInterval(this.#timer);
		this.#timer = undefined;
	}

	#tick(): void {
		const {name, seconds} = this.#current();
		this.#seconds = name === this.#name ? this.#seconds + 1 : 0;
		this.#name = name;
		if (this.#seconds < seconds) return;
		this.stop();
		this.#giveUp();
	}
}
