// The WebSockets of a page, for WebSocketOfBrowser.cs, which asks in each frame what has happened. In ES5, because the
// oldest Unity that this is for cannot minify anything newer.
var ResparkSocketLibrary = {
  $ResparkSockets: {
    newest: 0,
    sockets: {},
    // Unity frees a string that it was given.
    give: function (text) {
      var bytes = lengthBytesUTF8(text) + 1;
      var pointer = _malloc(bytes);
      stringToUTF8(text, pointer, bytes);
      return pointer;
    },
  },

  // The id of a socket, or 0 if the page may not open it.
  ResparkSocketOpen: function (url, subprotocol) {
    var socket;
    try {
      socket = new WebSocket(UTF8ToString(url), [UTF8ToString(subprotocol)]);
    } catch (error) {
      return 0;
    }
    var id = ++ResparkSockets.newest;
    var entry = { socket: socket, events: [], current: null };
    ResparkSockets.sockets[id] = entry;
    socket.onopen = function () {
      entry.events.push({ kind: 1, text: socket.protocol, code: 0 });
    };
    socket.onmessage = function (event) {
      // The game reads only while its page is shown, and what it does not read must not fill the memory.
      if (entry.events.length === 1000) socket.close(4001, 'the game reads too slowly');
      if (entry.events.length >= 1000) return;
      if (typeof event.data === 'string') entry.events.push({ kind: 2, text: event.data, code: 0 });
      else entry.events.push({ kind: 3, text: '', code: 0 });
    };
    socket.onclose = function (event) {
      entry.events.push({ kind: 4, text: event.reason, code: event.code });
    };
    return id;
  },

  // What has happened next: 0 nothing, 1 opened, 2 a text, 3 a binary message, 4 closed. The next two calls tell more.
  ResparkSocketNext: function (id) {
    var entry = ResparkSockets.sockets[id];
    if (!entry || entry.events.length === 0) return 0;
    entry.current = entry.events.shift();
    return entry.current.kind;
  },

  ResparkSocketText: function (id) {
    return ResparkSockets.give(ResparkSockets.sockets[id].current.text);
  },

  ResparkSocketCode: function (id) {
    return ResparkSockets.sockets[id].current.code;
  },

  ResparkSocketBuffered: function (id) {
    var entry = ResparkSockets.sockets[id];
    return entry ? entry.socket.bufferedAmount : 0;
  },

  ResparkSocketSend: function (id, text) {
    var entry = ResparkSockets.sockets[id];
    // Nothing can be sent any more once the page has begun to close it, and the close event is on its way.
    if (entry && entry.socket.readyState === 1) entry.socket.send(UTF8ToString(text));
  },

  // Pages may close with 1000 and with the codes from 3000 on.
  ResparkSocketClose: function (id, code) {
    var entry = ResparkSockets.sockets[id];
    if (entry) entry.socket.close(code);
  },

  ResparkSocketForget: function (id) {
    delete ResparkSockets.sockets[id];
  },
};

autoAddDeps(ResparkSocketLibrary, '$ResparkSockets');
mergeInto(LibraryManager.library, ResparkSocketLibrary);
