// Puts a counter on every branch of a JavaScript module, so that the fuzzer sees what an input reached.
// Literals of the source come back too: what a reader compares with is worth trying as input.

import {parse} from 'acorn';

/**
The module with `counters[n]++` on each branch, counters numbered from `first`. `counters` is
globalThis.fuzzCounters, `count` says how many there are, `words` are the literals.
*/
export function withCounters(source, first) {
	const tree = parse(source, {ecmaVersion: 'latest', sourceType: 'module'});
	const edits = [];
	const words = new Set();
	let next = first;
	const count = () => `fuzzCounters[${next++}]++`;
	const open = (at, text) => edits.push({at, text, order: edits.length, isEnd: false});
	const close = (at, text) => edits.push({at, text, order: edits.length, isEnd: true});
	const surround = (node, begin, end) => {
		open(node.start, begin);
		close(node.end, end);
	};
	const statement = (node, behind = '') => {
		if (node.type !== 'BlockStatement') return surround(node, `{${count()};`, `}${behind}`);
		open(node.start + 1, `${count()};`);
		close(node.end, behind);
	};
	const expression = node => surround(node, `(${count()},`, ')');

	const branches = {
		FunctionDeclaration: ({body}) => statement(body),
		FunctionExpression: ({body}) => statement(body),
		ArrowFunctionExpression: ({body}) =>
			body.type === 'BlockStatement' ? statement(body) : expression(body),
		IfStatement({consequent, alternate}) {
			statement(consequent, alternate ? '' : ` else {${count()};}`);
			if (alternate) statement(alternate);
		},
		ConditionalExpression({consequent, alternate}) {
			expression(consequent);
			expression(alternate);
		},
		LogicalExpression: ({right}) => expression(right),
		AssignmentPattern: ({right}) => expression(right),
		SwitchCase: ({consequent}) => consequent[0] && open(consequent[0].start, `${count()};`),
		CatchClause: ({body}) => statement(body),
		ForStatement: ({body}) => statement(body),
		ForInStatement: ({body}) => statement(body),
		ForOfStatement: ({body}) => statement(body),
		WhileStatement: ({body}) => statement(body),
		DoWhileStatement: ({body}) => statement(body),
		Literal: ({value}) => isWord(value) && words.add(value),
		TemplateElement: ({value}) => isWord(value.cooked) && words.add(value.cooked),
	};
	walk(tree, node => branches[node.type]?.(node));
	return {
		code: `const {fuzzCounters} = globalThis;${edited(source, edits)}`,
		count: next - first,
		words: [...words],
	};
}

function isWord(value) {
	return typeof value === 'string' && value !== '' && value.length <= 40;
}

function walk(node, visit) {
	visit(node);
	for (const child of Object.values(node)) {
		if (Array.isArray(child)) for (const one of child) one?.type && walk(one, visit);
		else if (typeof child?.type === 'string') walk(child, visit);
	}
}

/**
What opens at a place stands behind what ends there; of several that open, the outer one, found
first, comes first, of several that end the inner one.
*/
function edited(source, edits) {
	edits.sort((a, b) => {
		if (a.at !== b.at || a.isEnd !== b.isEnd) return a.at - b.at || b.isEnd - a.isEnd;
		return a.isEnd ? b.order - a.order : a.order - b.order;
	});
	let result = '';
	let done = 0;
	for (const {at, text} of edits) {
		result += source.slice(done, at) + text;
		done = at;
	}
	return result + source.slice(done);
}
