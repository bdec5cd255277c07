using System;
using System.Text.RegularExpressions;

namespace Respark
{
    internal static class Endpoint
    {
        private static readonly Regex Parts =
            new Regex(@"\A([A-Za-z][A-Za-z0-9+.-]*)://([^\s/?#]+)([^\s?#]*)(\?[^\s#]*)?(?:#.*)?\z");

        /// <summary>
        /// Where a WebSocket is opened for a URL such as `wss://HOST:PORT`, or the same with `http(s)`; the path is added
        /// if there is none. Throws a ResparkException if that is not the address of a server.
        /// </summary>
        internal static string Of(string url)
        {
            var parts = Parts.Match((url ?? "").Trim());
            if (!parts.Success) throw new ResparkException($"url must be like ws://HOST:PORT, got \"{url}\"", "bad_option");
            var scheme = parts.Groups[1].Value.ToLowerInvariant();
            var isSecure = scheme == "wss" || scheme == "https";
            if (!isSecure && scheme != "ws" && scheme != "http")
            {
                throw new ResparkException($"url must begin with ws, wss, http or https, got \"{url}\"", "bad_option");
            }
            var host = parts.Groups[2].Value.ToLowerInvariant();
            var port = isSecure ? ":443" : ":80";
            if (host.EndsWith(port, StringComparison.Ordinal)) host = host.Substring(0, host.Length - port.Length);
            var path = parts.Groups[3].Value;
            if (path == "" || path == "/") path = FrameCodec.ConnectPath;
            return $"{(isSecure ? "wss" : "ws")}://{host}{path}{parts.Groups[4].Value}";
        }
    }
}
