/** What is said of what webhooks have sent. */
export const WEBHOOK_TEXTS = {
  attempt: ['Attempt', 'Versuch'],
  deliveries: ['Deliveries', 'Zustellungen'],
  deliveriesOpen: ['Deliveries…', 'Zustellungen …'],
  deliveryAgain: ['at the earliest at', 'frühestens um'],
  deliveryAnswer: ['Answer', 'Antwort'],
  deliveryDone: ['delivered', 'zugestellt'],
  deliveryEvent: ['Event', 'Ereignis'],
  deliveryGivenUp: ['given up', 'aufgegeben'],
  deliverySwitchedOff: ['switched the webhook off', 'hat den Webhook abgeschaltet'],
  deliveryTakes: ['{ms} ms', '{ms} ms'],
  deliveryWaits: ['tried again', 'wird wiederholt'],
  eventsWait: ['{n} event waits.', '{n} Ereignis wartet.'],
  eventsWaitMany: ['{n} events wait.', '{n} Ereignisse warten.'],
  noDeliveries: ['No attempt is known.', 'Es ist kein Versuch bekannt.'],
  noDeliveriesAdvice: [
    'The node that delivers remembers the latest fifty since its start. Tests are not among them.',
    'Der Knoten, der zustellt, merkt sich die letzten fünfzig seit seinem Start. Tests zählen nicht dazu.',
  ],
  notDelivering: ['No node delivers this webhook at the moment.', 'Zurzeit stellt kein Knoten diesen Webhook zu.'],
} as const;
