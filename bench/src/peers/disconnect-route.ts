import { open } from 'node:fs/promises';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { jwtVerify } from 'jose';

/** Disconnects a player and returns the ids of the sockets. */
type Disconnect = (playerId: string) => string[];

/**
 * `POST /player/ID`. Where the words of the command line name an audit file and a secret, the route is guarded as an
 * operator would have to guard it; otherwise it does what anybody says.
 */
export async function disconnectRoute(
  disconnect: Disconnect,
  [auditFile, secret]: readonly string[] = process.argv.slice(2),
): Promise<RequestListener> {
  if (auditFile === undefined || secret === undefined) {
    return (request, response) => answer(response, 200, report(disconnect(playerOf(request))));
  }
  const handle = await guarded(disconnect, { auditFile, secret });
  return (request, response) => {
    handle(request, response).catch(() => answer(response, 500, { error: 'internal' }));
  };
}

/**
 * The caller shows a token (HS256) that was signed with the secret. The caller and the wish are on record before anything
 * happens, and the outcome is before it is answered. The key is imported and the file is opened once, because both are dear.
 */
async function guarded(disconnect: Disconnect, { auditFile, secret }: { auditFile: string; secret: string }) {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('raw', new TextEncoder().encode(secret), algorithm, false, ['verify']);
  const audit = await open(auditFile, 'a');
  const record = (entry: object) => audit.appendFile(`${JSON.stringify({ at: new Date(), ...entry })}\n`);

  return async (request: IncomingMessage, response: ServerResponse) => {
    const token = request.headers.authorization?.replace(/^Bearer /, '') ?? '';
    const checked = await jwtVerify(token, key, { algorithms: ['HS256'], audience: 'disconnect' }).catch(
      () => undefined,
    );
    if (checked === undefined) return answer(response, 401, { error: 'unauthorized' });
    const call = { caller: checked.payload.sub, operation: 'disconnect', playerId: playerOf(request) };
    await record(call);
    const ids = disconnect(call.playerId);
    await record({ ...call, disconnected: ids });
    answer(response, 200, report(ids));
  };
}

function playerOf({ url = '' }: IncomingMessage): string {
  return url.split('/')[2] ?? '';
}

function report(ids: readonly string[]) {
  return { DisconnectSuccesses: ids, DisconnectFailures: [] };
}

function answer(response: ServerResponse, status: number, content: object): void {
  const body = JSON.stringify(content);
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) });
  response.end(body);
}
