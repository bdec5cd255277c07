using System;
using Amazon.GameSparks.Unity.DotNet;
using Respark;
using UnityEngine;

namespace Amazon.GameSparks.Unity.Editor.Assets
{
    /// <summary>
    /// A connection as an asset. Its fields have the names of those that GameSparks' own assets have, and its script has
    /// their id, so that such an asset is found as it is; it needs this server's game key and an `endpointOverride`.
    /// </summary>
    [CreateAssetMenu(fileName = "Connection", menuName = "GameSparks/Connection")]
    public sealed class ConnectionScriptableObject : ScriptableObject
    {
        [SerializeField]
        private string gameKey = "";

#pragma warning disable 0414
        // Kept for the assets that have them: guests are the only provider here, and the endpoint says where the server is.
        [SerializeField]
        private int authenticationProvider = 0;

        [SerializeField]
        private int region = 1;
#pragma warning restore 0414

        [SerializeField]
        [Tooltip("The server's URL, such as wss://play.example.com")]
        private string endpointOverride = "";

        [NonSerialized]
        private Connection connection;

        private Action<ClientOptions> configuring;

        /// <summary>Which game the two belong to.</summary>
        [NonSerialized]
        private int game;

        /// <summary>
        /// What the client is made with. Change it before the first use of <see cref="Connection"/>: its storage, say, which
        /// is the PlayerPrefs by default. The handlers last until the game ends.
        /// </summary>
        public event Action<ClientOptions> Configuring
        {
            add
            {
                BeginGame();
                configuring += value;
            }

            remove
            {
                configuring -= value;
            }
        }

        public string GameKey => gameKey;

        public string Endpoint => endpointOverride;

        /// <summary>
        /// The player's connection, which opens with the first request. Throws a ResparkException if the asset has no
        /// endpoint or no game key.
        /// </summary>
        public Connection Connection
        {
            get
            {
                BeginGame();
                // Whoever destroys the pump closes its clients. At the end of the game, what is closed stays closed.
                var isClosed = connection != null && Application.isPlaying && !ClientPump.Updates(connection.Client);
                if (connection == null || isClosed && !ClientPump.IsOver)
                {
                    connection = new Connection(new ResparkClient(Options()));
                    if (Application.isPlaying) ClientPump.Add(connection.Client, this);
                }
                return connection;
            }
        }

        /// <summary>Sets what a new asset is to have. A connection to what it had before is closed.</summary>
        public void Configure(string newGameKey, string newEndpoint)
        {
            gameKey = newGameKey;
            endpointOverride = newEndpoint;
            if (connection != null) ClientPump.Remove(connection.Client);
            connection = null;
        }

        /// <summary>The options of a client for this asset.</summary>
        public ClientOptions Options()
        {
            BeginGame();
            if (string.IsNullOrEmpty(gameKey)) throw Missing("gameKey");
            if (string.IsNullOrEmpty(endpointOverride)) throw Missing("endpointOverride");
            var options = new ClientOptions
            {
                Url = endpointOverride,
                GameKey = gameKey,
                Storage = new PlayerPrefsTokenStorage(),
                OpenSocket = Sockets.Open,
                Locale = PlayerLocale.Find(),
            };
            configuring?.Invoke(options);
            return options;
        }

        /// <summary>In the editor, this asset and what it holds may outlive a game; the handlers of the next one come in addition
        /// then, and may encrypt what is encrypted already.</summary>
        private void BeginGame()
        {
            if (game == ClientPump.Game) return;
            // Those who come before the first game begins come for it.
            var hasOthers = game > 0;
            game = ClientPump.Game;
            if (!hasOthers) return;
            connection = null;
            configuring = null;
        }

        private ResparkException Missing(string field)
        {
            return new ResparkException($"the asset \"{name}\" has no {field}: select it, and set that in the inspector", "bad_option");
        }
    }
}
