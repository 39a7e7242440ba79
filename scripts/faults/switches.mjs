// Many faults in one build: what a fault changes becomes a choice that is made while the program runs,
// by EMULATOR_FAULT (test/emulator/planted.cpp). Most faults are a statement or an expression in the
// place of another; one that is neither, or does not compile as a choice, is planted alone.

import {planted} from './lists.mjs';

const asked = 'bool planted_fault(int); ';

/**
A source in which those of the faults can be chosen that do not overlap: {text, chosen}. Each fault has
a `number`.
*/
export function switched(source, faults) {
	const choices = [];
	for (const fault of faults) {
		const choice = choiceOf(source, fault);
		if (choice && choices.every(other => choice.end <= other.begin || other.end <= choice.begin)) {
			choices.push({...choice, fault});
		}
	}
	const text = choices
		.toSorted((a, b) => b.begin - a.begin)
		.reduce((all, {begin, end, text}) => all.slice(0, begin) + text + all.slice(end), source);
	return {text: asked + text, chosen: choices.map(({fault}) => fault)};
}

/** The numbers of the choices that a compiler complains about. */
export function numbersIn(said) {
	return new Set([...said.matchAll(/planted_fault\((\d+)\)/g)].map(([, number]) => Number(number)));
}

/** What a fault becomes, {begin, end, text}: `text` in the place of source[begin, end). */
export function choiceOf(source, fault) {
	if (planted(source, fault) === undefined) return undefined;
	const code = masked(source);
	const begin = source.indexOf(fault.from);
	const place = {begin, end: begin + fault.from.length};
	return statementOf(code, place, fault) ?? expressionOf(source, code, place, fault);
}

function statementOf(code, place, fault) {
	const {from, to, same, sameAtEnd} = withoutSameLines(fault);
	const begin = place.begin + same;
	const end = endOfComment(code, from, place.end - sameAtEnd);
	const follows = code.slice(0, begin).trimEnd().at(-1) ?? '';
	if (![from, to].every(text => isStatements(masked(text)))) return undefined;
	if (isWithinBrackets(code, begin) || !';{})'.includes(follows)) return undefined;
	if (declares(masked(from)) || /^\s*else\b/.test(code.slice(end))) return undefined;
	// A comment at the end of either must not hide what follows.
	const text = `{ if (planted_fault(${fault.number})) {${to}\n} else {${from}\n} }\n`;
	return {begin, end, text};
}

// Where the comment ends that `from` ends in.
function endOfComment(code, from, at) {
	if (!/\/\/[^\n]*$/.test(from)) return at;
	const end = code.indexOf('\n', at);
	return end < 0 ? code.length : end;
}

// Lines that a fault leaves as they are stand in it to say where.
function withoutSameLines({from, to}) {
	const [before, after] = [from, to].map(text => text.split(/(?<=\n)/));
	const {same, sameAtEnd} = differenceOf(before, after);
	const [first, last] = [before.slice(0, same), before.slice(before.length - sameAtEnd)];
	return {
		from: before.slice(same, before.length - sameAtEnd).join(''),
		to: after.slice(same, after.length - sameAtEnd).join(''),
		same: first.join('').length,
		sameAtEnd: last.join('').length,
	};
}

const types =
	'const|constexpr|static|auto|using|struct|int|unsigned|float|double|bool|char|u?int\\d+_t|bf16|[A-Z]\\w*';
const declaration = new RegExp(`^(?:${types})\\b[\\w:<>, &*]*[\\s&*]\\w+\\s*(?:=(?!=)|[{[(,]|$)`);

const declares = code => topLevel(code).some(statement => declaration.test(statement));

// Whole statements, or none.
function isStatements(text) {
	const trimmed = text.trim();
	return trimmed === '' || (isBalanced(trimmed) && /[;}]$/.test(trimmed));
}

// The statements of a text, what stands in braces aside.
function topLevel(text) {
	let depth = 0;
	let flat = '';
	for (const char of text) {
		if (char === '}') depth -= 1;
		if (depth === 0) flat += char === '}' ? ';' : char;
		if (char === '{') depth += 1;
	}
	return flat.split(';').map(statement => statement.trim());
}

function expressionOf(source, code, place, {from, to, number}) {
	const {same, sameAtEnd} = widened(from, to);
	const [low, high] = [place.begin + same, place.end - sameAtEnd];
	const [begin, end] = [beginOf(code, low), endOf(code, high)];
	const before = source.slice(begin, end);
	const changed = to.slice(same, to.length - sameAtEnd);
	const other = source.slice(begin, low) + changed + source.slice(high, end);
	if (![before, other].every(isExpression)) return undefined;
	const [first, second] = [other, before].map(text => masked(text, false).trim());
	return {begin, end, text: ` (planted_fault(${number}) ? (${first}) : (${second}))`};
}

function isExpression(text) {
	const code = masked(text).trim();
	if (code === '' || !isBalanced(code) || /^(?:if|for|while|return)\b/.test(code)) return false;
	return !/[;,]/.test(outerOf(code));
}

// What stands in no brackets.
function outerOf(code) {
	let depth = 0;
	let outer = '';
	for (const char of code) {
		if ('([{'.includes(char)) depth += 1;
		if (depth === 0) outer += char;
		if (')]}'.includes(char)) depth -= 1;
	}
	return outer;
}

// What two texts have in common around differences that close the brackets they open.
function widened(from, to) {
	let {same, sameAtEnd} = differenceOf(from, to);
	const isClosed = () =>
		[from, to].every(text => isBalanced(text.slice(same, text.length - sameAtEnd)));
	while (sameAtEnd > 0 && !isClosed()) sameAtEnd -= 1;
	while (same > 0 && !isClosed()) same -= 1;
	return {same, sameAtEnd};
}

// How many letters, or lines, two texts have in common at their beginnings and ends.
function differenceOf(from, to) {
	const least = Math.min(from.length, to.length);
	let same = 0;
	while (same < least && from[same] === to[same]) same += 1;
	let sameAtEnd = 0;
	while (sameAtEnd < least - same && from.at(-1 - sameAtEnd) === to.at(-1 - sameAtEnd)) {
		sameAtEnd += 1;
	}
	return {same, sameAtEnd};
}

// As the head of a loop is.
function isWithinBrackets(code, at) {
	let depth = 0;
	for (let i = at - 1; i >= 0; i -= 1) {
		if (')]}'.includes(code[i])) depth += 1;
		else if ('([{'.includes(code[i]) && depth > 0) depth -= 1;
		else if ('([{'.includes(code[i])) return code[i] !== '{';
	}
	return false;
}

// Where the expression begins that `at` is in: behind what cannot be part of it.
function beginOf(code, at) {
	let depth = 0;
	for (let i = at - 1; i >= 0; i -= 1) {
		if (')]'.includes(code[i])) depth += 1;
		else if ('(['.includes(code[i]) && depth > 0) depth -= 1;
		else if (depth === 0 && endsBefore(code, i)) return i + 1;
	}
	return 0;
}

function endsBefore(code, i) {
	if ('([{};,?'.includes(code[i])) return true;
	if (code[i] === ':') return code[i - 1] !== ':' && code[i + 1] !== ':';
	if (code[i] === '=') return code[i + 1] !== '=' && !'=!<>'.includes(code[i - 1]);
	return code[i] === 'n' && /\breturn$/.test(code.slice(i - 6, i + 1)) && /\W/.test(code[i + 1]);
}

function endOf(code, at) {
	let depth = 0;
	for (let i = at; i < code.length; i += 1) {
		if ('([{'.includes(code[i])) depth += 1;
		else if (')]}'.includes(code[i]) && depth > 0) depth -= 1;
		else if (depth === 0 && ')]};,?'.includes(code[i])) return i;
		else if (depth === 0 && code[i] === ':' && code[i - 1] !== ':' && code[i + 1] !== ':') return i;
	}
	return code.length;
}

function isBalanced(text) {
	const open = [];
	const closes = {')': '(', ']': '[', '}': '{'};
	for (const char of text) {
		if ('([{'.includes(char)) open.push(char);
		if (char in closes && open.pop() !== closes[char]) return false;
	}
	return open.length === 0;
}

// Code alone: comments, and on request what strings hold, become blanks.
function masked(source, strings = true) {
	const found = strings ? /\/\/[^\n]*|"(?:[^"\\\n]|\\.)*"/g : /\/\/[^\n]*/g;
	return source.replace(found, text => ' '.repeat(text.length));
}
