// nodemailer: reads a job as JSON, submits its messages on one connection, and prints what came of each.
'use strict';

const fs = require('node:fs');
const nodemailer = require('nodemailer');

const job = JSON.parse(fs.readFileSync(0, 'utf8'));
const outcomes = [];

const transport = nodemailer.createTransport({
  pool: job.messages.length > 1,
  maxConnections: 1,
  host: job.host,
  port: job.port,
  name: 'client.test',
  secure: job.way === 'implicit',
  requireTLS: job.way === 'upgraded',
  ignoreTLS: job.way === 'plain',
  tls: { ca: fs.readFileSync(job.authority) },
  connectionTimeout: 15000,
  greetingTimeout: 15000,
  socketTimeout: 15000,
  authMethod: job.mechanism || undefined,
  auth: !job.mechanism
    ? undefined
    : job.mechanism === 'XOAUTH2'
      ? { type: 'OAuth2', user: job.user, accessToken: job.secret }
      : { user: job.user, pass: job.secret },
});

(async () => {
  for (const path of job.messages) {
    try {
      await transport.sendMail({ envelope: { from: job.sender, to: [job.recipient] }, raw: fs.readFileSync(path) });
      outcomes.push(['done', '']);
    } catch (error) {
      outcomes.push([error.code || error.name, error.response || error.message]);
    }
  }
  transport.close();
  process.stdout.write(JSON.stringify({ outcomes }));
})();
