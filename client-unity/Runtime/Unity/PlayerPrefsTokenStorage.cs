using System.Text;
using System.Threading.Tasks;
using UnityEngine;

namespace Respark
{
    /// <summary>
    /// Keeps tokens in the PlayerPrefs, one for each server and game key. They are plain text there: whoever can read the
    /// files of the player's account can play as the player. <see cref="EncryptedTokenStorage"/> around it hides them.
    /// </summary>
    public sealed class PlayerPrefsTokenStorage : ITokenStorage
    {
        public bool IsShared => false;

        /// <summary>
        /// A secret of this machine, for an EncryptedTokenStorage: with it, a copy of the PlayerPrefs is useless elsewhere.
        /// A secret from a plug-in for the platform's keychain is better. Where machines have no id, as in browsers, it is the
        /// same everywhere and hides nothing.
        /// </summary>
        public static byte[] SecretOfMachine()
        {
            // A platform without ids has three letters instead of one, which are too short for a secret.
            return Encoding.UTF8.GetBytes($"respark {SystemInfo.deviceUniqueIdentifier}".PadRight(16));
        }

        public Task<string> LoadAsync(TokenScope scope)
        {
            var stored = PlayerPrefs.GetString(KeyOf(scope), "");
            return Task.FromResult(stored.Length == 0 ? null : stored);
        }

        public Task SaveAsync(string token, TokenScope scope)
        {
            if (token == null) PlayerPrefs.DeleteKey(KeyOf(scope));
            else PlayerPrefs.SetString(KeyOf(scope), token);
            PlayerPrefs.Save();
            return Task.FromResult(true);
        }

        private static string KeyOf(TokenScope scope)
        {
            return $"respark.token {scope.GameKey} {scope.Url}";
        }
    }
}
