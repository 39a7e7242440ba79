// The parts of scripts/gpu.mjs in their order, with the seconds each may take: 530 together.

import {conformance, operations, sanitized, training} from './checks.mjs';
import {profiles} from './profiles.mjs';
import {tables} from './tables.mjs';

export const parts = [
	{name: 'conformance', limit: 60, run: conformance},
	{name: 'operations', limit: 75, run: operations},
	{name: 'training', limit: 40, run: training},
	{name: 'tables', limit: 195, run: tables},
	{name: 'memcheck', limit: 50, run: settings => sanitized({...settings, tool: 'memcheck'})},
	{name: 'racecheck', limit: 60, run: settings => sanitized({...settings, tool: 'racecheck'})},
	{name: 'profiles', limit: 50, run: profiles},
];
