// Prints the C++ sources of the given folders below native/, for binding.gyp.
const {readdirSync} = require('node:fs');

const files = process.argv
	.slice(2)
	.flatMap(folder =>
		readdirSync(`native/${folder}`, {recursive: true}).map(name => `native/${folder}/${name}`),
	)
	.filter(name => name.endsWith('.cpp'));
console.log(files.sort().join(' '));
