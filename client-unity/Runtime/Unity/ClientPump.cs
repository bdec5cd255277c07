using System;
using System.Collections.Generic;
using System.Threading.Tasks;
using UnityEngine;

namespace Respark
{
    /// <summary>
    /// Updates clients in each frame, so that all their handlers run on the main thread, and has them hurry when the network
    /// is back or the player has returned. It makes its own object, which survives changes of scenes; when that is disabled
    /// or destroyed, at the end of the game at the latest, it closes them.
    /// </summary>
    public sealed class ClientPump : MonoBehaviour
    {
        private static ClientPump instance;

        private readonly List<Entry> entries = new List<Entry>();
        private NetworkReachability reachability;

        /// <summary>Counts the games: in the editor, the same statics may see many of them.</summary>
        internal static int Game { get; private set; }

        /// <summary>Whether the game is about to end, so that nothing may be made any more.</summary>
        internal static bool IsOver { get; private set; }

        /// <summary>Has the client updated from now on. Adding it twice has no effect.</summary>
        /// <param name="owner">An asset that is to stay loaded for as long as the client is updated: Unity unloads one that no
        /// scene and no script refers to.</param>
        public static void Add(ResparkClient client, UnityEngine.Object owner = null)
        {
            if (IsOver) return;
            Prepare();
            var entry = Find(client);
            if (entry == null) instance.entries.Add(new Entry { Client = client, Owner = owner });
            else entry.Closing = null;
        }

        /// <summary>Closes the client, and no longer updates it once its socket is gone.</summary>
        public static void Remove(ResparkClient client)
        {
            var entry = Find(client);
            var closing = client.Close();
            if (entry != null) entry.Closing = closing;
        }

        /// <summary>Whether the client is updated.</summary>
        public static bool Updates(ResparkClient client)
        {
            var entry = Find(client);
            return entry != null && entry.Closing == null;
        }

        /// <summary>Makes the object, which browsers need for their sockets too.</summary>
        internal static void Prepare()
        {
            if (IsOver || instance != null) return;
            var holder = new GameObject("Respark");
            DontDestroyOnLoad(holder);
            instance = holder.AddComponent<ClientPump>();
        }

        private static Entry Find(ResparkClient client)
        {
            if (instance == null) return null;
            foreach (var entry in instance.entries)
            {
                if (entry.Client == client) return entry;
            }
            return null;
        }

        [RuntimeInitializeOnLoadMethod(RuntimeInitializeLoadType.SubsystemRegistration)]
        private static void Begin()
        {
            Game += 1;
            IsOver = false;
            Application.quitting -= End;
            Application.quitting += End;
        }

        private static void End()
        {
            IsOver = true;
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
            for (var at = 0; at < entries.Count; at += 1)
            {
                var entry = entries[at];
                UpdateOne(entry.Client);
                if (entry.Closing == null || !entry.Closing.IsCompleted) continue;
                // A handler may have connected it again.
                Leave(entry.Client);
                if (entries.Remove(entry)) at -= 1;
            }
        }

        private void OnApplicationPause(bool isPaused)
        {
            if (!isPaused) Hurry();
        }

        private void OnApplicationFocus(bool hasFocus)
        {
            if (hasFocus) Hurry();
        }

        /// <summary>Comes before the object is destroyed, and before the editor loads changed code into a running game.</summary>
        private void OnDisable()
        {
            if (instance == this) instance = null;
            foreach (var entry in entries) Leave(entry.Client);
            entries.Clear();
        }

        private void Hurry()
        {
            for (var at = 0; at < entries.Count; at += 1)
            {
                if (entries[at].Closing == null) entries[at].Client.Hurry();
            }
        }

        /// <summary>Has a client end that nobody will update again: its socket closes by itself. A handler may connect it again
        /// when it hears of the end, hence the second time: what then begins opens no socket before the next update.</summary>
        private static void Leave(ResparkClient client)
        {
            client.Close();
            UpdateOne(client);
            client.Close();
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

        private sealed class Entry
        {
            internal ResparkClient Client;
            internal UnityEngine.Object Owner;
            /// <summary>Set when the client is to be updated only until this is done.</summary>
            internal Task Closing;
        }
    }
}
