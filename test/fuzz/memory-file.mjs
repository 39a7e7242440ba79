// Bytes as an open file and as a stream, for readers that ask for one; no disk is used.

/** What of FileHandle the readers call. */
export function memoryFile(bytes) {
	let cursor = 0;
	return {
		async read(buffer, offset, length, position) {
			const begin = position ?? cursor;
			const bytesRead = bytes.copy(buffer, offset, begin, Math.min(bytes.length, begin + length));
			cursor = begin + bytesRead;
			return {bytesRead, buffer};
		},
	};
}
