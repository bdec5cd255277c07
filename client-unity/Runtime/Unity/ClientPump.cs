using System;
using System.Collections.Generic;
using UnityEngine;

namespace Respark
{
    /// <summary>
    /// Updates clients in each frame, so that all their handlers run on the main thread, and has them hurry when the network
    /// is back or the player has returned. It makes its own object, which survives changes of scenes.
    /// </summary>
    public sealed class ClientPump : MonoBehaviour
    {
        private static ClientPump instance;

        private readonly List<ResparkClient> clients = new List<ResparkClient>();
        private NetworkReachability reachability;

        /// <summary>Has the client updated from now on. Adding it twice has no effect.</summary>
        public static void Add(ResparkClient client)
        {
            if (instance == null)
            {
                var holder = new GameObject("Respark");
                DontDestroyOnLoad(holder);
                instance = holder.AddComponent<ClientPump>();
            }
            if (!instance.clients.Contains(client)) instance.clients.Add(client);
        }

        /// <summary>Whether the client is updated.</summary>
        public static bool Updates(ResparkClient client)
        {
            return instance != null && instance.clients.Contains(client);
        }

        private void Awake()
        {
            reachability = Application.internetReachability;
        }

        private void Update()
        {
            WebSocketOfBrowser.PollAll();
            var now = Application.internetReachability;
            if (now != reachability)
            {
                reachability = now;
                if (now != NetworkReachability.NotReachable) Hurry();
            }
            // A handler may add clients.
            for (var at = 0; at < clients.Count; at += 1) UpdateOne(clients[at]);
        }

        private void OnApplicationPause(bool isPaused)
        {
            if (!isPaused) Hurry();
        }

        private void OnApplicationFocus(bool hasFocus)
        {
            if (hasFocus) Hurry();
        }

        private void OnDestroy()
        {
            foreach (var client in clients)
            {
                client.Close();
                UpdateOne(client);
            }
            clients.Clear();
        }

        private void Hurry()
        {
            for (var at = 0; at < clients.Count; at += 1) clients[at].Hurry();
        }

        /// <summary>What a handler of the game throws is told as Unity tells of any exception.</summary>
        private static void UpdateOne(ResparkClient client)
        {
            try
            {
                client.Update();
            }
            catch (Exception error)
            {
                Debug.LogException(error);
            }
        }
    }
}
