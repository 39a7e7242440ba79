// Errors of the operating system as errors of this package: what was expected of a path, and the
// reason in words.

import {EngineError} from '../errors.js';
import {finalName} from './temporary-names.js';

const reasons: Record<string, string> = {
	EACCES: 'no permission',
	EPERM: 'not permitted',
	EROFS: 'the file system is read-only',
	ENOSPC: 'no space left on the disk',
	EDQUOT: 'the disk quota is used up',
	EFBIG: 'the file is too large for the file system',
	ENOENT: 'there is no such file or folder',
	ENOTDIR: 'a part of the path is not a folder',
	EISDIR: 'it is a folder',
	ENOTEMPTY: 'the folder is not empty',
	ENAMETOOLONG: 'the name is too long',
	EMFILE: 'too many files are open',
	ENFILE: 'too many files are open in the system',
	ELOOP: 'links lead in a circle',
	EIO: 'the disk reported an error',
	EBUSY: 'it is in use',
	EXDEV: 'it lies on another file system',
};

/** The code of an error of the operating system (`ENOENT`), or nothing. */
export function systemCode(error: unknown): string | undefined {
	if (!(error instanceof Error) || !('code' in error) || error instanceof EngineError) return;
	return typeof error.code === 'string' && 'syscall' in error ? error.code : undefined;
}

function reasonOf(code: string): string {
	const words = reasons[code];
	return words === undefined ? code : `${code}, ${words}`;
}

/**
What to throw when `path` could not be read. Anything but an error of the system comes back as it
is.
*/
export function readFailure(path: string, error: unknown): unknown {
	const code = systemCode(error);
	if (code === undefined) return error;
	if (code === 'ENOENT' || code === 'ENOTDIR') {
		return new EngineError('FILE_NOT_FOUND', `${path}: expected a file, got nothing there`, {
			cause: error,
		});
	}

	const message = `${path}: expected a readable file, got ${reasonOf(code)}`;
	return new EngineError('FILE_UNREADABLE', message, {cause: error});
}

/**
What to throw when `path` could not be written, by the name that it is to have. Anything but an error
of the system comes back as it is.
*/
export function writeFailure(path: string, error: unknown): unknown {
	const code = systemCode(error);
	if (code === undefined) return error;
	const message = `${finalName(path)}: expected a place to write to, got ${reasonOf(code)}`;
	return new EngineError('FILE_WRITE', message, {cause: error});
}
