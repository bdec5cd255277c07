import { DIALECTS, type DialectName } from './dialects.ts';
import { type Generator, LoadGenerator } from './generator.ts';
import type { Answer, Ask } from './generator-process.ts';

const [port, name = '', callPort, network, isConfirmed] = process.argv.slice(2);
if (!Object.hasOwn(DIALECTS, name))
  throw new Error(`the dialect must be one of ${Object.keys(DIALECTS).join(', ')}, got "${name}"`);
const generator: Generator = new LoadGenerator({
  ...{ port: Number(port), dialect: name as DialectName },
  ...{ callPort: Number(callPort), network: Number(network), isConfirmed: isConfirmed === 'true' },
});

async function answer(ask: Ask): Promise<Answer> {
  try {
    return { result: await (generator[ask.name] as (load: unknown) => Promise<unknown>).call(generator, ask.load) };
  } catch (error) {
    return { error: error instanceof Error ? error.message : String(error) };
  }
}

process.on('message', (ask: Ask) => void answer(ask).then((message) => process.send?.(message)));
process.on('disconnect', () => process.exit());
