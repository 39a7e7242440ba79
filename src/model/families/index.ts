// The list of families.

import type {Family} from '../spec.js';
import {bert} from './bert.js';

export const families: readonly Family[] = [bert];
