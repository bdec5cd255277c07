const members = GameSparks().Player('room').GetData(['Members']).Members || {};
// Ids are of the players' own choice in some games, and every object has a member that is called constructor.
if (Object.keys(members).indexOf(message.PlayerId) === -1) {
  return GameSparks().Messaging().Error('NOT_HERE', 'This player is not in the room.');
}
const result = GameSparks().Player(message.PlayerId).Disconnect('You were thrown out of the room');
GameSparks()
  .Logging()
  .Warn(GameSparks().CurrentPlayer().Id() + ' has thrown out ' + message.PlayerId);
return GameSparks().Messaging().Response({ Closed: result.DisconnectSuccesses.length });
