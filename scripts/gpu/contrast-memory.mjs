// Prints the bytes of a card that the in-batch loss takes beyond its inputs, gradients among them: node
// contrast-memory.mjs DEVICE ROWS WIDTH. A process of its own, as a device keeps what others have taken.

import {once} from '../../benchmarks/contrast.mjs';
import {openDevice} from '../../dist/device.js';

const [, , name, ...extents] = process.argv;
const [rows, width] = extents.map(Number);
const device = await openDevice({device: name});
await device.native.synchronize();
const {bytes: before} = device.native.statistics();
await once(device, rows, width);
const {bytes: after} = device.native.statistics();
console.log(after - before - 2 * 4 * rows * width);
process.exit(0);
