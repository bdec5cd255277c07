import { get as getHttp } from 'node:http';
import { get as getHttps } from 'node:https';
import { Command } from 'commander';
import { addSettingOptions, settingsOf } from '../options.ts';
import { CommandError, type World } from '../world.ts';

const REPLY_TIMEOUT_MS = 5_000;

export function healthCommand(world: World): Command {
  const command = new Command('health')
    .description(
      'Ask the server that runs on the data directory whether it is alive, as health checks of containers do.',
    )
    .option('--ready', 'ask whether it should get traffic: not while it drains, or cannot use its store')
    .addHelpText(
      'after',
      '\nExample:\n  $ respark health --ready --data-dir /var/lib/respark\n\nExit codes: 0 it is; 1 it is not, or does not answer; 2 wrong usage.',
    )
    .action(async () => {
      const running = await world.localFiles.running(settingsOf(world, command).dataDir);
      if (running === undefined) throw new CommandError('no server is running on this data directory');
      const { status, text } = await ask(new URL(command.opts().ready === true ? '/readyz' : '/healthz', running.url));
      if (status !== 200) throw new CommandError(text);
      world.stdout.write(`${text}\n`);
    });
  return addSettingOptions(command, ['dataDir']);
}

/** Its certificate is not checked: it names the host that others know, and the answer is all that matters here. */
async function ask(url: URL): Promise<{ status: number | undefined; text: string }> {
  try {
    return await new Promise((resolve, reject) => {
      const get = url.protocol === 'https:' ? getHttps : getHttp;
      const options = { agent: false, rejectUnauthorized: false, signal: AbortSignal.timeout(REPLY_TIMEOUT_MS) };
      get(url, options, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('end', () => resolve({ status: response.statusCode, text: text.trim() })).on('error', reject);
      }).on('error', reject);
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new CommandError(`${url.origin} does not answer: ${reason}`, { cause: error });
  }
}
