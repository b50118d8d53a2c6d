# net/smtp: reads a job as JSON, submits its messages on one connection, and prints what came of each.
require 'json'
require 'net/smtp'

job = JSON.parse($stdin.read)
outcomes = []
at_exit { puts JSON.generate(outcomes: outcomes) }

def said(error)
  [error.class.name, error.message.strip.gsub(/\s+/, ' ')]
end

context = OpenSSL::SSL::SSLContext.new
context.set_params(ca_file: job['authority'], verify_mode: OpenSSL::SSL::VERIFY_PEER)
smtp = Net::SMTP.new(job['host'], job['port'])
smtp.disable_starttls
smtp.enable_starttls(context) if job['way'] == 'upgraded'
smtp.enable_tls(context) if job['way'] == 'implicit'
smtp.read_timeout = 15
begin
  if job['mechanism'].empty?
    smtp.start('client.test')
  else
    smtp.start('client.test', job['user'], job['secret'], job['mechanism'].downcase.tr('-', '_').to_sym)
  end
rescue StandardError => e
  outcomes << said(e)
  exit 0
end

job['messages'].each do |path|
  smtp.send_message(File.binread(path), job['sender'], job['recipient'])
  outcomes << ['done', '']
rescue StandardError => e
  outcomes << said(e)
  break unless e.is_a?(Net::SMTPError)
  smtp.rset
end
begin
  smtp.finish
rescue StandardError
  nil
end
