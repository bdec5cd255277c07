/**
 * Has this process go on whatever a terminal or a service manager sends to all processes of a server, which ends its own when
 * it stops. For the last of these signals Node.js would open its debugger.
 */
export function heedNoSignals(): void {
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', ...(process.platform === 'win32' ? [] : ['SIGUSR1'])];
  for (const signal of signals) process.on(signal, () => {});
}
