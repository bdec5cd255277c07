// A player with the WebSocket of Node.js itself. It prints a line for each frame that it gets, and how it was closed.
const [url, subprotocol, hello, request] = process.argv.slice(2);
const socket = new WebSocket(url, subprotocol);
let isWelcomed = false;
const print = (line) => process.stdout.write(`${line}\n`);
socket.onopen = () => socket.send(hello);
socket.onmessage = ({ data }) => {
  print(data);
  if (!isWelcomed) socket.send(request);
  isWelcomed = true;
};
socket.onclose = ({ code, reason }) => print(`${code} ${reason}`);
