// Loaded into every process of a test run: those of the tests of modules take a processor when the others leave one.
const { setPriority } = require('node:os');

const [, program = ''] = process.argv;
if (/[\\/]dist[\\/]src[\\/].*\.test\.js$/.test(program)) setPriority(5);
