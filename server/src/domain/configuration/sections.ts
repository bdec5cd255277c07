/** The names of the sections that `GameSparks/Core` owns; a configuration may have others. */
export const SECTIONS = {
  model: 'GameSparks.Core.Model',
  requests: 'GameSparks.Core.Requests',
  events: 'GameSparks.Core.Events',
  notifications: 'GameSparks.Core.Notifications',
  requestHandlers: 'GameSparks.Core.RequestHandlers',
  eventHandlers: 'GameSparks.Core.EventHandlers',
} as const;
