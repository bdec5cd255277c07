import { once } from 'node:events';
import { connect } from 'node:net';

/** A command as `MONITOR` shows it, `+TIME [DATABASE ADDRESS] "COMMAND" …`. Those that scripts run have `lua` for the address. */
const COMMAND_OF_A_CLIENT = /^\+[\d.]+ \[\d+ (?!lua\])/;

/** Counts the commands that a Redis server's clients send from now on. This costs the server some of its time. */
export async function countRedisCommands(port: number): Promise<{ count(): number; stop(): void }> {
  const socket = connect({ port, host: '127.0.0.1' });
  const counter = new CommandCounter();
  socket.setEncoding('latin1').write('MONITOR\r\n');
  // The first reply says that it has begun; there is an error only if the server ends.
  const [first] = (await once(socket, 'data')) as [string];
  counter.read(first);
  socket.on('data', (text: string) => counter.read(text)).on('error', () => {});
  return { count: () => counter.count, stop: () => void socket.destroy() };
}

/** Reads what `MONITOR` says, in pieces of any length. */
export class CommandCounter {
  count = 0;
  #rest = '';

  read(text: string): void {
    const lines = `${this.#rest}${text}`.split('\r\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) if (COMMAND_OF_A_CLIENT.test(line)) this.count += 1;
  }
}
