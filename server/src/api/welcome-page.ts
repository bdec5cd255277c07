import type { HttpReply } from '../http/exchange.ts';

/** The page at the server's address, for a person who opens it in a browser. */
const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Respark</title>
<h1>Respark is running</h1>
<p>This server is a self-hosted game backend. It speaks the Amazon GameSparks API, version 2021-08-17.</p>
<ul>
<li>The management API is at this address, for any AWS client:
<code>aws gamesparks list-games --endpoint-url <i>this address</i></code>.
Calls are signed with an access key of this server;
<code>respark env</code>, run on its machine, prints the variables to set.</li>
<li>Players connect by WebSocket, subprotocol <code>respark.v1</code>, at the path <code>/connect</code>.</li>
<li>For more, see <code>respark --help</code>, <code>respark doctor</code>, and
<code>README.md</code> in the clone or in <code>node_modules/@respark/server</code>.</li>
</ul>
</html>
`;

export const WELCOME_REPLY: HttpReply = {
  status: 200,
  headers: {
    'content-type': 'text/html; charset=utf-8',
    'content-security-policy': "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'x-frame-options': 'DENY',
    'cache-control': 'no-cache',
  },
  body: PAGE,
};
