using System;
using System.Security.Cryptography;
using System.Text;
using System.Threading;
using System.Threading.Tasks;

namespace Respark
{
    /// <summary>
    /// Encrypts tokens on their way to another storage (AES-256-CBC, then HMAC-SHA-256 over all of it). It is as safe as the
    /// key: one from the platform's keychain keeps others on the machine out, one that is made of the machine's id only
    /// makes a copied file useless elsewhere. What cannot be decrypted counts as nothing, and the next token replaces it.
    /// </summary>
    public sealed class EncryptedTokenStorage : ITokenStorage
    {
        private const int IvBytes = 16;
        private const int MacBytes = 32;

        private readonly ITokenStorage inner;
        private readonly byte[] encryptionKey;
        private readonly byte[] authenticationKey;

        /// <param name="inner">Where the encrypted token is kept.</param>
        /// <param name="secret">At least 16 bytes, the same at each start.</param>
        public EncryptedTokenStorage(ITokenStorage inner, byte[] secret)
        {
            if (secret.Length < 16) throw new ArgumentException($"secret must have at least 16 bytes, got {secret.Length}");
            this.inner = inner;
            encryptionKey = Derive(secret, "encryption");
            authenticationKey = Derive(secret, "authentication");
        }

        public bool IsShared => inner.IsShared;

        public Task<string> LoadAsync(TokenScope scope)
        {
            return inner.LoadAsync(scope).ContinueWith(
                loaded => Decrypt(loaded.GetAwaiter().GetResult()),
                CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously,
                TaskScheduler.Default);
        }

        public Task SaveAsync(string token, TokenScope scope)
        {
            return inner.SaveAsync(token == null ? null : Encrypt(token), scope);
        }

        private static byte[] Derive(byte[] secret, string purpose)
        {
            using (var hmac = new HMACSHA256(secret)) return hmac.ComputeHash(Encoding.ASCII.GetBytes(purpose));
        }

        private string Encrypt(string token)
        {
            using (var aes = Aes.Create())
            {
                aes.Key = encryptionKey;
                aes.GenerateIV();
                byte[] hidden;
                using (var encryptor = aes.CreateEncryptor())
                {
                    var plain = Encoding.UTF8.GetBytes(token);
                    hidden = encryptor.TransformFinalBlock(plain, 0, plain.Length);
                }
                var all = new byte[IvBytes + hidden.Length + MacBytes];
                Buffer.BlockCopy(aes.IV, 0, all, 0, IvBytes);
                Buffer.BlockCopy(hidden, 0, all, IvBytes, hidden.Length);
                Buffer.BlockCopy(MacOf(all), 0, all, all.Length - MacBytes, MacBytes);
                return Convert.ToBase64String(all);
            }
        }

        private string Decrypt(string stored)
        {
            if (stored == null) return null;
            try
            {
                var all = Convert.FromBase64String(stored);
                if (all.Length <= IvBytes + MacBytes || !HasItsMac(all)) return null;
                using (var aes = Aes.Create())
                {
                    aes.Key = encryptionKey;
                    var iv = new byte[IvBytes];
                    Buffer.BlockCopy(all, 0, iv, 0, IvBytes);
                    aes.IV = iv;
                    using (var decryptor = aes.CreateDecryptor())
                    {
                        var plain = decryptor.TransformFinalBlock(all, IvBytes, all.Length - IvBytes - MacBytes);
                        return Encoding.UTF8.GetString(plain);
                    }
                }
            }
            catch (FormatException)
            {
                return null;
            }
            catch (CryptographicException)
            {
                return null;
            }
        }

        private byte[] MacOf(byte[] all)
        {
            using (var hmac = new HMACSHA256(authenticationKey)) return hmac.ComputeHash(all, 0, all.Length - MacBytes);
        }

        /// <summary>Looks at every byte, however early one differs.</summary>
        private bool HasItsMac(byte[] all)
        {
            var mac = MacOf(all);
            var difference = 0;
            for (var at = 0; at < MacBytes; at += 1) difference |= mac[at] ^ all[all.Length - MacBytes + at];
            return difference == 0;
        }
    }
}
