const MAX_MEMBERS = 20;
// The names of all members are data of one player, which has a limit: a few long ones would leave no room for anybody else.
const MAX_NAME_LENGTH = 40;
const me = GameSparks().CurrentPlayer().Id();
const room = GameSparks().Player('room');

if (message.Name.length > MAX_NAME_LENGTH) {
  return GameSparks().Messaging().Error('BAD_NAME', 'A name has at most ' + MAX_NAME_LENGTH + ' characters.');
}

for (let attempt = 0; attempt < 10; attempt += 1) {
  const members = room.GetData(['Members']).Members || {};
  // Whoever enters again comes last. If there are too many, the first in the list goes: a client that was killed has not
  // said that it leaves.
  delete members[me];
  const ids = Object.keys(members);
  if (ids.length >= MAX_MEMBERS) delete members[ids[0]];
  members[me] = message.Name;
  try {
    room.SetData({ Members: members });
    return GameSparks().Messaging().Response({ Others: Object.keys(members).length - 1 });
  } catch (error) {
    // Somebody else has entered since the list was read.
    if (error.code !== 'conflict') throw error;
  }
}
return GameSparks().Messaging().Error('TRY_AGAIN', 'Too many players enter at once.');
