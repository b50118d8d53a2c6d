// node-pop3: reads a job as JSON, fetches every message into a file, removes it, and prints what came of it.
// The library gives back what crossed the line, read as UTF-8, its doubled dots and all; it knows neither STLS nor AUTH.
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const Pop3 = require('node-pop3');

const job = JSON.parse(fs.readFileSync(0, 'utf8'));
const outcomes = [];
const said = (error) => [error.eventName || error.code || error.name, error.message];

const client = new Pop3({
  user: job.user,
  password: job.secret,
  host: job.host,
  port: job.port,
  tls: job.way === 'implicit',
  tlsOptions: { ca: fs.readFileSync(job.authority) },
  timeout: 15000,
});

// A promise of the library that never settles ends the program all the same: what came of it is told then.
client.on('error', (error) => {
  if (client.listenerCount('error') === 1) outcomes.push(['error event', error.message]); // nobody else hears it
});
process.on('exit', () => fs.writeSync(1, JSON.stringify({ outcomes })));

(async () => {
  for (const [number] of await client.LIST()) {
    try {
      fs.writeFileSync(path.join(job.box, number), await client.RETR(number));
      await client.DELE(number);
      outcomes.push(['done', '']);
    } catch (error) {
      outcomes.push(said(error));
    }
  }
  await client.QUIT();
  outcomes.push(['quit', '']);
})()
  .catch((error) => outcomes.push(said(error)))
  .finally(() => process.exit(0));
