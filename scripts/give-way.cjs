// Loaded into every process of a test run: those of the tests of modules take a processor when the others leave one.
const { getPriority, setPriority } = require('node:os');

const LOWER = 5;
const [, program = ''] = process.argv;
// A run that was started with `nice` is lower already, and only an administrator may raise it again.
if (/[\\/]dist[\\/]src[\\/].*\.test\.js$/.test(program) && getPriority() < LOWER) setPriority(LOWER);
