using System;
using Amazon.GameSparks.Unity.DotNet;
using Respark;
using UnityEngine;

namespace Amazon.GameSparks.Unity.Editor.Assets
{
    /// <summary>
    /// A connection as an asset. Its fields have the names of those that GameSparks' own assets have, and its script has
    /// their id, so that such an asset keeps its game key and needs its `endpointOverride` only.
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

        /// <summary>
        /// What the client is made with. Change it before the first use of <see cref="Connection"/>: its storage, say, which
        /// is the PlayerPrefs by default.
        /// </summary>
        public event Action<ClientOptions> Configuring;

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
                // In the editor, this asset and what it holds may outlive the game, whose pump has closed all clients.
                var isOver = connection != null && Application.isPlaying && !ClientPump.Updates(connection.Client);
                if (connection == null || isOver)
                {
                    connection = new Connection(new ResparkClient(Options()));
                    if (Application.isPlaying) ClientPump.Add(connection.Client);
                }
                return connection;
            }
        }

        /// <summary>Sets what a new asset is to have.</summary>
        public void Configure(string newGameKey, string newEndpoint)
        {
            gameKey = newGameKey;
            endpointOverride = newEndpoint;
            connection = null;
        }

        /// <summary>The options of a client for this asset.</summary>
        public ClientOptions Options()
        {
            if (string.IsNullOrEmpty(gameKey)) throw Missing("gameKey");
            if (string.IsNullOrEmpty(endpointOverride)) throw Missing("endpointOverride");
            var options = new ClientOptions
            {
                Url = endpointOverride,
                GameKey = gameKey,
                Storage = new PlayerPrefsTokenStorage(),
                OpenSocket = Sockets.Open,
            };
            Configuring?.Invoke(options);
            return options;
        }

        private ResparkException Missing(string field)
        {
            return new ResparkException($"the asset \"{name}\" has no {field}: select it, and set that in the inspector", "bad_option");
        }
    }
}
