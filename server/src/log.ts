import { type DestinationStream, type Logger, pino } from 'pino';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/**
 * One line an event: a constant message, facts as fields. error = someone must act, warn = may need acting on, info = the
 * node's life, debug = one request's or connection's. A client's mistake is never an error; secrets, signatures, tokens
 * and bodies are never logged.
 */
export type Log = Pick<Logger, LogLevel>;

export function createLog({ level, destination }: { level: LogLevel; destination?: DestinationStream }): Log {
  const options = { level, base: null, timestamp: pino.stdTimeFunctions.isoTime };
  return destination === undefined ? pino(options) : pino(options, destination);
}
