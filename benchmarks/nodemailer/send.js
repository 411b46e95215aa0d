// nodemailer as its documentation has it: a pool, fed whenever it has room.
"use strict";
const crypto = require("node:crypto");
const fs = require("node:fs");
const nodemailer = require("nodemailer");

const wanted = JSON.parse(fs.readFileSync(0, "utf8"));
const pem = fs.readFileSync(wanted.key, "utf8");
const pool = nodemailer.createTransport({
  pool: true,
  host: "127.0.0.1",
  port: wanted.port,
  maxConnections: wanted.connections,
  dkim: {
    domainName: wanted.domain,
    keySelector: wanted.selector,
    privateKey: wanted.parsed ? crypto.createPrivateKey(pem) : pem,
  },
});

function mail(number) {
  const fill = (words) => words.replaceAll("{{ first_name }}", `Ada${number}`);
  return {
    from: wanted.from,
    to: `person${number}@example.org`,
    subject: fill(wanted.subject),
    text: fill(wanted.text),
    html: fill(wanted.html),
    headers: wanted.headers,
  };
}

let next = 0;
let left = wanted.count;
function feed() {
  while (next < wanted.count && pool.isIdle()) {
    pool.sendMail(mail(next++), (error) => {
      if (error) throw error;
      if (--left === 0) pool.close();
    });
  }
}
pool.on("idle", feed);
feed();
