const MAX_MEMBERS = 20;
const me = GameSparks().CurrentPlayer().Id();
const room = GameSparks().Player('room');

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
