# net/pop: reads a job as JSON, fetches every message into a file, removes it, and prints what came of it. It knows no STLS.
require 'json'
require 'net/pop'

job = JSON.parse($stdin.read)
outcomes = []
at_exit { puts JSON.generate(outcomes: outcomes) }

def said(error)
  [error.class.name, error.message.strip.gsub(/\s+/, ' ')]
end

pop = Net::POP3.new(job['host'], job['port'], job['mechanism'] == 'APOP')
pop.enable_ssl({ ca_file: job['authority'], verify_mode: OpenSSL::SSL::VERIFY_PEER }, nil, job['port']) if job['way'] == 'implicit'
pop.read_timeout = 15
begin
  pop.start(job['user'], job['secret'])
rescue StandardError => e
  outcomes << said(e)
  exit 0
end

begin
  pop.mails.each do |mail|
    octets = mail.pop
    File.binwrite(File.join(job['box'], mail.number.to_s), octets)
    mail.delete
    outcomes << ['done', '']
  rescue Net::POPError => e
    outcomes << said(e)
  end
rescue StandardError => e
  outcomes << said(e)
end
begin
  pop.finish
  outcomes << ['quit', '']
rescue StandardError => e
  outcomes << said(e)
end
