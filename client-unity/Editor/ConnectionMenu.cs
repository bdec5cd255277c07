using System;
using System.IO;
using Amazon.GameSparks.Unity.Editor.Assets;
using UnityEditor;
using UnityEngine;

namespace Respark.Editing
{
    /// <summary>The menu that makes the asset of a connection, and that tries it without starting the game.</summary>
    internal static class ConnectionMenu
    {
        private const string Folder = "Assets/Amazon/GameSparks";

        [MenuItem("GameSparks/Create Connection")]
        private static void Create()
        {
            var path = $"{Folder}/Connection.asset";
            var existing = AssetDatabase.LoadAssetAtPath<ConnectionScriptableObject>(path);
            if (existing == null)
            {
                Directory.CreateDirectory(Folder);
                existing = ScriptableObject.CreateInstance<ConnectionScriptableObject>();
                AssetDatabase.CreateAsset(existing, path);
                AssetDatabase.SaveAssets();
            }
            Selection.activeObject = existing;
        }

        [MenuItem("GameSparks/Test Connection")]
        private static void Test()
        {
            var asset = Selection.activeObject as ConnectionScriptableObject;
            if (asset == null)
            {
                asset = AssetDatabase.LoadAssetAtPath<ConnectionScriptableObject>($"{Folder}/Connection.asset");
            }
            if (asset == null)
            {
                Debug.LogError("there is no connection to test: select one, or make one with GameSparks > Create Connection");
                return;
            }
            try
            {
                new ConnectionTest(asset).Start();
            }
            catch (ResparkException error)
            {
                Debug.LogError(error.Message, asset);
            }
        }

        /// <summary>One attempt, as a guest whom nobody keeps.</summary>
        private sealed class ConnectionTest
        {
            private readonly ConnectionScriptableObject asset;
            private readonly ResparkClient client;
            private bool isOver;

            internal ConnectionTest(ConnectionScriptableObject asset)
            {
                this.asset = asset;
                var options = asset.Options();
                options.Storage = null;
                options.OpenSocket = NativeSocket.Open;
                options.Reconnect = new BackoffOptions { MaxRetries = 0 };
                client = new ResparkClient(options);
            }

            internal void Start()
            {
                client.Welcomed += welcome =>
                {
                    Debug.Log($"connected to {asset.Endpoint} as the guest {welcome.PlayerId}", asset);
                    client.Close();
                };
                client.Disconnected += end =>
                {
                    isOver = true;
                    if (end.Closure.CloseCode == 1000) return;
                    Debug.LogError($"could not connect to {asset.Endpoint}: {end.Closure}", asset);
                };
                client.Connect();
                EditorApplication.update += Update;
            }

            private void Update()
            {
                try
                {
                    client.Update();
                }
                catch (Exception error)
                {
                    Debug.LogException(error);
                    client.Close();
                    isOver = true;
                }
                // The socket closes on a thread of its own.
                if (isOver) EditorApplication.update -= Update;
            }
        }
    }
}
