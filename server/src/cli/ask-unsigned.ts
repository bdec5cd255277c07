import { get as getHttp } from 'node:http';
import { get as getHttps } from 'node:https';
import { CommandError } from './world.ts';

const REPLY_TIMEOUT_MS = 5_000;

/**
 * What the server that runs on the data directory answers without a signature. Its certificate is not checked: it names the host that others know, and
 * the answer is all that matters here.
 */
export async function askUnsigned(url: URL): Promise<{ status: number | undefined; text: string }> {
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
